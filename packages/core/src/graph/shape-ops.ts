import type { DType } from '../tensor/dtype.js';
import { onnxDataType } from '../tensor/onnx-data-type.js';
import { sameShape } from '../tensor/shape.js';
import { zeros } from '../tensor/tensor.js';
import type { Value } from './graph.js';
import type { GraphBuilder } from './graph-builder.js';

const smallConstant = 64;

/** `value` under another concrete shape (at most one −1); `value` itself if it has that shape already. */
export function reshapeTo(builder: GraphBuilder, value: Value, shape: readonly number[]): Value {
  if (sameShape(value.shape, shape)) return value;
  const allowzero = shape.includes(0) ? 1 : 0;
  return builder.op('Reshape', [value, builder.integers(shape)], { allowzero });
}

/** `value` with its axes in the order `perm`; `value` itself for the identity. */
export function transposed(builder: GraphBuilder, value: Value, perm: readonly number[]): Value {
  if (perm.every((axis, index) => axis === index)) return value;
  return builder.op('Transpose', [value], { perm });
}

/** The permutation that undoes `perm`. */
export function inversePermutation(perm: readonly number[]): number[] {
  const inverse = new Array<number>(perm.length);
  perm.forEach((axis, index) => {
    inverse[axis] = index;
  });
  return inverse;
}

/** `value` converted to `dtype`; `value` itself if it is. */
export function castTo(builder: GraphBuilder, value: Value, dtype: DType): Value {
  return value.dtype === dtype ? value : builder.op('Cast', [value], { to: onnxDataType(dtype) });
}

/** Zeros of a concrete shape; made by the graph when they are many, so that files stay small. */
export function zerosOf(builder: GraphBuilder, dtype: DType, shape: readonly number[]): Value {
  const count = shape.reduce((product, extent) => product * extent, 1);
  if (count <= smallConstant) return builder.constant(zeros(dtype, shape), { name: 'zeros' });
  return builder.op('ConstantOfShape', [builder.integers(shape)], { value: zeros(dtype, [1]) });
}

/** One axis of {@link sliceOf}. */
export interface AxisRange {
  readonly axis: number;
  readonly start: number;
  readonly end: number;
  /** Default 1. */
  readonly step?: number;
}

/** A constant slice along some axes. */
export function sliceOf(builder: GraphBuilder, value: Value, ranges: readonly AxisRange[]): Value {
  if (ranges.length === 0) return value;
  const steps = ranges.map(({ step = 1 }) => step);
  return builder.op('Slice', [
    value,
    builder.integers(ranges.map(({ start }) => start)),
    builder.integers(ranges.map(({ end }) => end)),
    builder.integers(ranges.map(({ axis }) => axis)),
    steps.every((step) => step === 1) ? undefined : builder.integers(steps),
  ]);
}

/** `value` with `extent` zeros before and after along each axis. */
export function zeroPadded(
  builder: GraphBuilder,
  value: Value,
  before: readonly number[],
  after: readonly number[],
): Value {
  if ([...before, ...after].every((extent) => extent === 0)) return value;
  return builder.op('Pad', [value, builder.integers([...before, ...after])]);
}
