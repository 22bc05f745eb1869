import { type Tensor, tensor, toNumbers } from '@modelwright/core';
import { describe, expect, test } from 'vitest';
import { fansOf, type Initializer, initializerOf } from './initializer.js';
import { createRandom } from './random.js';
import {
  constant,
  glorotNormal,
  glorotUniform,
  heNormal,
  heUniform,
  identity,
  lecunNormal,
  lecunUniform,
  orthogonal,
  randomNormal,
  randomUniform,
  truncatedNormal,
  varianceScaling,
} from './standard.js';

const draw = (initializer: Initializer, shape: readonly number[], seed = 1): number[] => [
  ...(initializer(shape, { random: createRandom(seed), ...fansOf(shape) }) as Float64Array),
];
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const variance = (values: readonly number[]): number => {
  const center = mean(values);
  return mean(values.map((value) => (value - center) ** 2));
};

const shape = [3, 3, 20, 60];
const { fanIn, fanOut } = fansOf(shape);
const average = (fanIn + fanOut) / 2;

describe('variances are those of the definitions', () => {
  // The sample variance of n numbers is off by about √(2/n) of itself.
  const tolerance = 5 * Math.sqrt(2 / (3 * 3 * 20 * 60));
  test.each<[string, Initializer, number]>([
    ['randomNormal', randomNormal({ stddev: 0.3 }), 0.09],
    ['randomUniform', randomUniform({ minValue: -1, maxValue: 2 }), 9 / 12],
    ['truncatedNormal', truncatedNormal({ stddev: 1 }), 0.8796256610342398 ** 2],
    ['glorotUniform', glorotUniform(), 1 / average],
    ['glorotNormal', glorotNormal(), 1 / average],
    ['heUniform', heUniform(), 2 / fanIn],
    ['heNormal', heNormal(), 2 / fanIn],
    ['lecunUniform', lecunUniform(), 1 / fanIn],
    ['lecunNormal', lecunNormal(), 1 / fanIn],
    ['varianceScaling', varianceScaling({ scale: 3, mode: 'fanOut', distribution: 'untruncatedNormal' }), 3 / fanOut],
  ])('%s', (_, initializer, expected) => {
    const values = draw(initializer, shape);
    expect(Math.abs(variance(values) / expected - 1)).toBeLessThan(tolerance);
  });
});

test('distributions keep within their bounds', () => {
  const limit = Math.sqrt(3 / average);
  expect(Math.max(...draw(glorotUniform(), shape).map(Math.abs))).toBeLessThanOrEqual(limit);
  expect(
    Math.max(...draw(truncatedNormal({ mean: 1, stddev: 0.1 }), shape).map((value) => Math.abs(value - 1))),
  ).toBeLessThan(0.2);
  expect(mean(draw(randomUniform({ minValue: 2, maxValue: 3 }), shape))).toBeCloseTo(2.5, 1);
});

test('a seed of its own overrides the weight’s', () => {
  expect(draw(heNormal({ seed: 5 }), [4, 4], 1)).toEqual(draw(heNormal({ seed: 5 }), [4, 4], 2));
  expect(draw(heNormal(), [4, 4], 1)).not.toEqual(draw(heNormal(), [4, 4], 2));
});

test.each([[[6, 4]], [[4, 6]], [[3, 3, 2, 5]], [[2, 300]]])(
  'orthogonal %j has orthonormal rows or columns',
  (extents) => {
    const columns = extents.at(-1) as number;
    const rows = extents.slice(0, -1).reduce((product, extent) => product * extent, 1);
    const values = draw(orthogonal({ gain: 2 }), extents);
    const vector = (index: number): number[] =>
      Array.from(
        { length: Math.max(rows, columns) },
        (_, at) => (rows >= columns ? values[at * columns + index] : values[index * columns + at]) as number,
      );
    for (let a = 0; a < Math.min(rows, columns); a++) {
      for (let b = 0; b <= a; b++) {
        const product = vector(a).reduce((sum, value, at) => sum + value * (vector(b)[at] as number), 0);
        expect(product).toBeCloseTo(a === b ? 4 : 0, 10);
      }
    }
  },
);

test('identity, constants and given values', () => {
  expect(draw(identity({ gain: 2 }), [2, 3])).toEqual([2, 0, 0, 0, 2, 0]);
  expect(draw(constant({ value: 7 }), [2])).toEqual([7, 7]);
  const given = tensor([[1, 2]]);
  expect([
    ...toNumbers(initializerOf(given)([1, 2], { random: createRandom(0), fanIn: 1, fanOut: 2 }) as Tensor),
  ]).toEqual([1, 2]);
});

test('shapes that make no sense are refused', () => {
  expect(() => draw(orthogonal(), [3])).toThrow("'orthogonal' is for matrices, not for a weight of shape [3]");
  expect(() => draw(identity(), [3, 3, 3])).toThrow("'identity' is for matrices");
  expect(() => varianceScaling({ scale: 0 })).toThrow('scale is 0');
});

test('random numbers are uniform and normal', () => {
  const random = createRandom(3, 'weight');
  const uniforms = Array.from({ length: 20_000 }, () => random.uniform());
  expect(mean(uniforms)).toBeCloseTo(0.5, 2);
  expect(variance(uniforms)).toBeCloseTo(1 / 12, 2);
  const normals = Array.from({ length: 20_000 }, () => random.normal());
  expect(mean(normals)).toBeCloseTo(0, 1);
  expect(normals.filter((value) => Math.abs(value) < 1).length / normals.length).toBeCloseTo(0.683, 1);
});
