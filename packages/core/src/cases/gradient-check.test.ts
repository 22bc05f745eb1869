import { describe, expect, test } from 'vitest';
import { fromNumbers, tensor } from '../tensor/tensor.js';
import { given, type OpCase } from './case.js';
import { caseTensor } from './case-data.js';
import { differenceOf, toleranceFor } from './compare-tensors.js';
import { checkGradient } from './gradient-check.js';

test('a gradient that differs from the slope is noticed', () => {
  // Within the step of the kink at 0 the mean slope is not that of either side.
  const kink: OpCase = {
    id: 'elementwise/Abs/kink',
    op: 'Abs',
    inputs: [given('float32', [1, 0.0005])],
    differentiable: [0],
  };
  expect(checkGradient(kink).map(({ input, element }) => [input, element])).toEqual([[0, 1]]);
});

describe('comparing tensors', () => {
  const half = { relative: 0.5, absolute: 0 };
  const one = tensor([1, -2]);

  test('within the tolerance they agree', () => {
    expect(differenceOf(tensor([1.4, -2.9]), one, half)).toBeUndefined();
    expect(differenceOf(tensor([1.6, -2]), one, half)).toContain('element 0');
  });

  test('dtype and shape count', () => {
    expect(differenceOf(tensor([1, -2], { dtype: 'int32' }), one, half)).toContain('dtype');
    expect(differenceOf(tensor([[1, -2]]), one, half)).toContain('shape');
  });

  test('NaN equals NaN only, an infinity itself only', () => {
    const odd = tensor([Number.NaN, Number.POSITIVE_INFINITY]);
    expect(differenceOf(odd, odd, half)).toBeUndefined();
    expect(differenceOf(tensor([0, Number.POSITIVE_INFINITY]), odd, half)).toContain('element 0');
    expect(differenceOf(tensor([Number.NaN, 1e38]), odd, half)).toContain('element 1');
    expect(differenceOf(tensor([Number.NaN, Number.NEGATIVE_INFINITY]), odd, half)).toContain('element 1');
    expect(differenceOf(odd, tensor([0, 0]), half)).toContain('element 0');
  });

  test('integers agree exactly or not at all', () => {
    const [a, b] = [9007199254740992n, 9007199254740993n].map((value) => tensor([value]));
    expect(differenceOf(a as never, b as never, toleranceFor('int64'))).toContain('element 0');
  });
});

describe('random inputs', () => {
  const input = { dtype: 'float32', shape: [40] } as const;

  test('depend on the key alone', () => {
    expect(caseTensor(input, 'a')).toEqual(caseTensor(input, 'a'));
    expect(caseTensor(input, 'a')).not.toEqual(caseTensor(input, 'b'));
  });

  test('keep away from the points they shall avoid', () => {
    const { data } = caseTensor({ ...input, avoid: [0, 1] }, 'a');
    for (const point of [0, 1])
      expect(Math.min(...[...data].map((x) => Math.abs(Number(x) - point)))).toBeGreaterThan(0.049);
  });

  test('are apart from each other when distinct', () => {
    const sorted = [...(caseTensor({ ...input, distinct: true }, 'a').data as Float32Array)].sort((a, b) => a - b);
    const gaps = sorted.slice(1).map((x, index) => x - (sorted[index] as number));
    expect(Math.min(...gaps)).toBeGreaterThan(0.04);
  });

  test('integers stay in their range', () => {
    const { data } = caseTensor({ dtype: 'int8', shape: [200], low: -3, high: 2 }, 'a');
    expect(new Set(data as Int8Array)).toEqual(new Set([-3, -2, -1, 0, 1, 2]));
    expect(fromNumbers('int8', [200], data as Int8Array).data).toEqual(data);
  });
});
