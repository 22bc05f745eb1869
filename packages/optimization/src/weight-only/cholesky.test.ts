import { expect, test } from 'vitest';
import { cholesky, invertPositiveDefinite, type SquareMatrix, upperCholesky } from './cholesky.js';

const order = 7;
// A = B·Bᵀ + I
const factor = Float64Array.from({ length: order * order }, (_, at) => Math.sin(at * 1.7));
const multiply = (a: Float64Array, b: Float64Array, transposed: boolean): Float64Array =>
  Float64Array.from({ length: order * order }, (_, at) => {
    const [row, column] = [Math.floor(at / order), at % order];
    let sum = 0;
    for (let k = 0; k < order; k++)
      sum += (a[row * order + k] as number) * (b[transposed ? column * order + k : k * order + column] as number);
    return sum;
  });
const identity = Float64Array.from({ length: order * order }, (_, at) => (at % (order + 1) === 0 ? 1 : 0));
const matrix: SquareMatrix = {
  order,
  data: multiply(factor, factor, true).map((value, at) => value + (identity[at] as number)),
};
const farthest = (a: Float64Array, b: Float64Array): number =>
  a.reduce((most, value, at) => Math.max(most, Math.abs(value - (b[at] as number))), 0);

test('triangles multiply to the matrix, and its inverse to one', () => {
  const lower = cholesky(matrix).data;
  expect(farthest(multiply(lower, lower, true), matrix.data)).toBeLessThan(1e-12);
  const upper = upperCholesky(matrix).data;
  expect(farthest(upper, lower)).toBeGreaterThan(0.1);
  expect(farthest(multiply(invertPositiveDefinite(matrix).data, matrix.data, false), identity)).toBeLessThan(1e-12);
});

test('a matrix that is not positive definite is refused', () => {
  expect(() => cholesky({ order: 2, data: Float64Array.of(1, 2, 2, 1) })).toThrow('pivot 1 is -3');
});
