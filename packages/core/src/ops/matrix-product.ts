import { allocateData, isBigInt, isFloat } from '../tensor/dtype.js';
import { broadcastShapes } from '../tensor/shape.js';
import { castTensor, elementCountOf, fromNumbers, reshapeTensor, Tensor, toNumbers } from '../tensor/tensor.js';
import { forEachRow } from './broadcast-rows.js';

/** Extents of `[rows, inner] × [inner, columns]`. */
export interface ProductExtents {
  readonly rows: number;
  readonly inner: number;
  readonly columns: number;
}

/**
 * `MatMul` as NumPy's `matmul`: the last two axes are matrices, those before broadcast; a vector gets an axis for the time
 * of the product.
 */
export function matrixProduct(a: Tensor, b: Tensor): Tensor {
  const left = a.rank === 1 ? reshapeTensor(a, [1, a.shape[0] as number]) : a;
  const right = b.rank === 1 ? reshapeTensor(b, [b.shape[0] as number, 1]) : b;
  const product = batchedProduct(left, right);
  const shape = [...product.shape];
  if (b.rank === 1) shape.pop();
  if (a.rank === 1) shape.splice(shape.length - (b.rank === 1 ? 1 : 2), 1);
  return reshapeTensor(product, shape);
}

function batchedProduct(a: Tensor, b: Tensor): Tensor {
  const [rows, inner] = a.shape.slice(-2) as [number, number];
  const columns = b.shape.at(-1) as number;
  const extents: ProductExtents = { rows, inner, columns };
  const batch = broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2)) as readonly number[];
  const shape = [...batch, rows, columns];
  const count = elementCountOf(shape);
  if (!isFloat(a.dtype)) return integerProduct(a, b, { shape, batch, extents });
  const [x, y, data] = [toNumbers(a), toNumbers(b), new Float64Array(count)];
  forEachMatrix(a, b, batch, (index, left, right) => {
    multiplyMatrices(
      x.subarray(left * rows * inner, (left + 1) * rows * inner),
      y.subarray(right * inner * columns, (right + 1) * inner * columns),
      data.subarray(index * rows * columns, (index + 1) * rows * columns),
      extents,
    );
  });
  return fromNumbers(a.dtype, shape, data);
}

/** `target += x·y` of dense row-major matrices. The inner loop runs along rows of `y`, which the processor likes. */
export function multiplyMatrices(
  x: Float64Array,
  y: Float64Array,
  target: Float64Array,
  { rows, inner, columns }: ProductExtents,
): void {
  for (let row = 0; row < rows; row++) {
    const at = row * columns;
    for (let k = 0; k < inner; k++) {
      const factor = x[row * inner + k] as number;
      const from = k * columns;
      for (let column = 0; column < columns; column++) {
        target[at + column] = (target[at + column] as number) + factor * (y[from + column] as number);
      }
    }
  }
}

function forEachMatrix(
  a: Tensor,
  b: Tensor,
  batch: readonly number[],
  visit: (index: number, left: number, right: number) => void,
): void {
  forEachRow(batch, [a.shape.slice(0, -2), b.shape.slice(0, -2)], ({ start, length, offsets, steps }) => {
    for (let i = 0; i < length; i++) {
      visit(
        start + i,
        (offsets[0] as number) + i * (steps[0] as number),
        (offsets[1] as number) + i * (steps[1] as number),
      );
    }
  });
}

interface IntegerPlan {
  readonly shape: readonly number[];
  readonly batch: readonly number[];
  readonly extents: ProductExtents;
}

// Exact modulo 2ⁿ: sums in 64 bits that wrap, narrowed at the end.
function integerProduct(a: Tensor, b: Tensor, { shape, batch, extents }: IntegerPlan): Tensor {
  const { rows, inner, columns } = extents;
  const [x, y] = [castTensor(a, 'int64').data, castTensor(b, 'int64').data];
  const sums = new BigInt64Array(elementCountOf(shape));
  forEachMatrix(a, b, batch, (index, left, right) => {
    for (let at = 0; at < rows * columns; at++) {
      const [row, column] = [Math.floor(at / columns), at % columns];
      let sum = 0n;
      for (let k = 0; k < inner; k++) {
        const factor = x[(left * rows + row) * inner + k] as bigint;
        sum += factor * (y[(right * inner + k) * columns + column] as bigint);
      }
      sums[index * rows * columns + at] = sum;
    }
  });
  return narrowIntegers(new Tensor('int64', shape, sums), a);
}

/** 64-bit results in the integer dtype of `like`, wrapped to its width. */
export function narrowIntegers(wide: Tensor<'int64' | 'uint64'>, like: Tensor): Tensor {
  if (isBigInt(like.dtype)) return castTensor(wide as Tensor, like.dtype);
  const data = allocateData(like.dtype, wide.elementCount) as Int32Array;
  for (let i = 0; i < data.length; i++) data[i] = Number(BigInt.asIntN(32, wide.data[i] as bigint));
  return new Tensor(like.dtype, wide.shape, data);
}
