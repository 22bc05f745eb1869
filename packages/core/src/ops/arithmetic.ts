import { allocateData, isBigInt, isFloat } from '../tensor/dtype.js';
import { broadcastShapes } from '../tensor/shape.js';
import { elementCountOf, fromNumbers, Tensor, toNumbers } from '../tensor/tensor.js';
import { forEachRow } from './broadcast-rows.js';

/**
 * One operation on each kind of element. Results of `integer` wrap to the width of the dtype when stored, those of
 * `bigint` to 64 bits, so integer arithmetic is exact modulo 2ⁿ as ONNX has it.
 */
export interface UnaryArithmetic {
  readonly float: (x: number) => number;
  /** Up to 32 bits; default `float`. */
  readonly integer?: (x: number) => number;
  readonly bigint?: (x: bigint) => bigint;
}

/** Like {@link UnaryArithmetic}, of two operands. */
export interface BinaryArithmetic {
  readonly float: (x: number, y: number) => number;
  readonly integer?: (x: number, y: number) => number;
  readonly bigint: (x: bigint, y: bigint) => bigint;
}

/** Applies `operation` to each element. */
export function arithmeticUnary(x: Tensor, operation: UnaryArithmetic): Tensor {
  if (isBigInt(x.dtype) && operation.bigint !== undefined) {
    const source = x.data as BigInt64Array;
    const data = allocateData(x.dtype, source.length) as BigInt64Array;
    for (let i = 0; i < data.length; i++) data[i] = operation.bigint(source[i] as bigint);
    return new Tensor(x.dtype, x.shape, data);
  }
  const apply = isFloat(x.dtype) ? operation.float : (operation.integer ?? operation.float);
  const source = toNumbers(x);
  const values = new Float64Array(source.length);
  for (let i = 0; i < values.length; i++) values[i] = apply(source[i] as number);
  return fromNumbers(x.dtype, x.shape, values);
}

/** Applies `operation` with broadcasting; both operands are of one dtype. */
export function arithmeticBinary(a: Tensor, b: Tensor, operation: BinaryArithmetic): Tensor {
  const shape = broadcastShapes(a.shape, b.shape) as readonly number[];
  const count = elementCountOf(shape);
  if (isBigInt(a.dtype)) {
    const data = allocateData(a.dtype, count) as BigInt64Array;
    applyBroadcast<bigint, bigint>(
      { a, b, shape, x: a.data as BigInt64Array, y: b.data as BigInt64Array, data },
      operation.bigint,
    );
    return new Tensor(a.dtype, shape, data);
  }
  const data = new Float64Array(count);
  const apply = isFloat(a.dtype) ? operation.float : (operation.integer ?? operation.float);
  applyBroadcast({ a, b, shape, x: toNumbers(a), y: toNumbers(b), data }, apply);
  return fromNumbers(a.dtype, shape, data);
}

/** Folds a variadic op pairwise from the left. */
export function arithmeticFold(inputs: readonly Tensor[], operation: BinaryArithmetic): Tensor {
  return inputs.reduce((sum, next) => arithmeticBinary(sum, next, operation));
}

/** Operands with their elements, and where results go. */
export interface BroadcastOperands<In, Out> {
  readonly a: Tensor;
  readonly b: Tensor;
  readonly x: ArrayLike<In>;
  readonly y: ArrayLike<In>;
  /** Shape of the result. */
  readonly shape: readonly number[];
  readonly data: { [index: number]: Out };
}

/** `data[i] = apply(x[i], y[i])` with broadcasting. */
export function applyBroadcast<In, Out>(operands: BroadcastOperands<In, Out>, apply: (x: In, y: In) => Out): void {
  const { a, b, x, y, shape, data } = operands;
  forEachRow(shape, [a.shape, b.shape], ({ start, length, offsets, steps }) => {
    const [stepX, stepY] = steps as [number, number];
    let [left, right] = offsets as [number, number];
    for (let at = start; at < start + length; at++) {
      data[at] = apply(x[left] as In, y[right] as In);
      left += stepX;
      right += stepY;
    }
  });
}
