import type { ValueType } from '../graph/graph.js';
import { compatibleDimension, type Dimension, formatShape } from '../tensor/shape.js';
import { fromNumbers, type Tensor, toNumbers } from '../tensor/tensor.js';
import type { InferContext, NoAttributes, OpDefinition } from './definition.js';
import { exactly, requireFloat } from './rules.js';

/** `Det`: determinants of the matrices in the last two axes. Its gradient needs an inverse, which ONNX lacks. */
export const determinant: OpDefinition<NoAttributes> = {
  inputs: exactly(1),
  outputs: exactly(1),
  attributes: {},
  infer: inferDeterminant,
  gradient: 'not-differentiable',
  evaluate: ({ input }) => [determinants(input(0))],
};

function inferDeterminant(context: InferContext<NoAttributes>): readonly ValueType[] {
  requireFloat(context, 0);
  const { dtype, shape } = context.input(0);
  const [rows, columns] = shape.slice(-2) as [Dimension, Dimension];
  if (shape.length < 2 || !compatibleDimension(rows, columns)) {
    context.fail(`square matrices are needed; the input has shape ${formatShape(shape)}`, { given: shape });
  }
  return [{ dtype, shape: shape.slice(0, -2) }];
}

function determinants(t: Tensor): Tensor {
  const extent = t.shape.at(-1) as number;
  const batch = t.shape.slice(0, -2);
  const count = batch.reduce((product, next) => product * next, 1);
  const values = toNumbers(t);
  const results = new Float64Array(count);
  for (let index = 0; index < count; index++) {
    results[index] = eliminate(values.slice(index * extent * extent, (index + 1) * extent * extent), extent);
  }
  return fromNumbers(t.dtype, batch, results);
}

// Gaussian elimination with partial pivoting; the matrix is overwritten.
function eliminate(matrix: Float64Array, extent: number): number {
  let product = 1;
  for (let column = 0; column < extent; column++) {
    const pivot = pivotRow(matrix, extent, column);
    const head = matrix[pivot * extent + column] as number;
    if (head === 0) return 0;
    if (pivot !== column) {
      swapRows(matrix, extent, pivot, column);
      product = -product;
    }
    product *= head;
    for (let row = column + 1; row < extent; row++) {
      const factor = (matrix[row * extent + column] as number) / head;
      for (let at = column; at < extent; at++) {
        matrix[row * extent + at] =
          (matrix[row * extent + at] as number) - factor * (matrix[column * extent + at] as number);
      }
    }
  }
  return product;
}

function pivotRow(matrix: Float64Array, extent: number, column: number): number {
  let best = column;
  for (let row = column + 1; row < extent; row++) {
    if (Math.abs(matrix[row * extent + column] as number) > Math.abs(matrix[best * extent + column] as number))
      best = row;
  }
  return best;
}

function swapRows(matrix: Float64Array, extent: number, a: number, b: number): void {
  const held = matrix.slice(a * extent, (a + 1) * extent);
  matrix.copyWithin(a * extent, b * extent, (b + 1) * extent);
  matrix.set(held, b * extent);
}
