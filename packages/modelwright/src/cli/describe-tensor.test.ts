import { fromNumbers, tensor, zeros } from '@modelwright/core';
import { expect, test } from 'vitest';
import { describeTensor } from './describe-tensor.js';

test('probabilities show their best classes in per cent', () => {
  const described = describeTensor('scores', tensor([[0.1, 0.7, 0.2]]), 2);
  expect(described).toBe('scores  float32 [1,3]\n  1: 70.00 %   2: 20.00 %');
});

test('other scores show as they are, a line a row', () => {
  const described = describeTensor(
    'logits',
    tensor([
      [1, -2],
      [3, 4],
    ]),
    1,
  );
  expect(described).toBe('logits  float32 [2,2]\n  row 0   0: 1\n  row 1   1: 4');
});

test('many rows are cut', () => {
  expect(describeTensor('x', zeros('float32', [20, 2]), 1)).toContain('… 12 more rows');
});

test('anything else shows its first values and its range', () => {
  const values = Float64Array.from({ length: 100 }, (_, at) => at);
  const described = describeTensor('x', fromNumbers('float32', [4, 5, 5], values), 5);
  expect(described).toContain('0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, …');
  expect(described).toContain('minimum 0, mean 49.5, maximum 99');
});

test('values that are not finite are pointed out', () => {
  const values = new Float64Array(20).fill(Number.NaN, 3, 5);
  expect(describeTensor('x', fromNumbers('float32', [20], values), 5)).toContain('2 not finite');
});

test.each([
  ['texts', tensor(['a', 'b']), 'a, b'],
  ['integers', tensor([1n, 2n]), '1, 2'],
  ['a scalar', tensor(3), '3'],
  ['nothing', zeros('float32', [0, 4]), 'no elements'],
])('%s', (_what, value, expected) => {
  expect(describeTensor('x', value, 5).split('\n')[1]?.trim()).toBe(expected);
});
