import { ModelwrightError } from '@modelwright/core';

/** A square matrix `[order, order]` in row-major order. */
export interface SquareMatrix {
  readonly order: number;
  readonly data: Float64Array;
}

/**
 * The lower triangle `L` of a symmetric positive definite matrix.
 *
 * `A = L·Lᵀ`
 *
 * @throws {@link ModelwrightError} `value-out-of-range` if the matrix is not positive definite.
 */
export function cholesky({ order, data }: SquareMatrix): SquareMatrix {
  const lower = new Float64Array(order * order);
  for (let row = 0; row < order; row++) {
    for (let column = 0; column <= row; column++) {
      const [a, b] = [row * order, column * order];
      let sum = data[a + column] as number;
      for (let k = 0; k < column; k++) sum -= (lower[a + k] as number) * (lower[b + k] as number);
      if (row !== column) lower[a + column] = sum / (lower[b + column] as number);
      else lower[a + column] = rootOf(sum, row);
    }
  }
  return { order, data: lower };
}

function rootOf(pivot: number, row: number): number {
  if (pivot > 0) return Math.sqrt(pivot);
  throw new ModelwrightError('value-out-of-range', `the matrix is not positive definite: pivot ${row} is ${pivot}`, {
    given: pivot,
    hint: 'more damping, or more samples of calibration',
  });
}

/**
 * The inverse of a symmetric positive definite matrix.
 *
 * `A⁻¹ = L⁻ᵀ·L⁻¹`
 */
export function invertPositiveDefinite(matrix: SquareMatrix): SquareMatrix {
  const { order } = matrix;
  const inverse = invertLower(cholesky(matrix)).data;
  const data = new Float64Array(order * order);
  // Row k of L⁻¹ ends at its diagonal, so the sum over k begins at the larger index.
  for (let k = 0; k < order; k++) {
    for (let i = 0; i <= k; i++) {
      const factor = inverse[k * order + i] as number;
      for (let j = 0; j <= i; j++) data[i * order + j]! += factor * (inverse[k * order + j] as number);
    }
  }
  for (let i = 0; i < order; i++) for (let j = 0; j < i; j++) data[j * order + i] = data[i * order + j] as number;
  return { order, data };
}

function invertLower({ order, data: lower }: SquareMatrix): SquareMatrix {
  const data = new Float64Array(order * order);
  for (let row = 0; row < order; row++) {
    const pivot = lower[row * order + row] as number;
    for (let k = 0; k < row; k++) {
      const factor = (lower[row * order + k] as number) / pivot;
      for (let column = 0; column <= k; column++)
        data[row * order + column]! -= factor * (data[k * order + column] as number);
    }
    data[row * order + row] = 1 / pivot;
  }
  return { order, data };
}

/** The upper triangle `U` with `A = Uᵀ·U`. */
export function upperCholesky(matrix: SquareMatrix): SquareMatrix {
  const { order, data: lower } = cholesky(matrix);
  const data = new Float64Array(order * order);
  for (let i = 0; i < order; i++) for (let j = 0; j <= i; j++) data[j * order + i] = lower[i * order + j] as number;
  return { order, data };
}
