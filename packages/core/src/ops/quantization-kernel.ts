import type { DType } from '../tensor/dtype.js';
import { stridesOf } from '../tensor/shape.js';

/** How scales and zero points spread over a tensor. */
export interface ScaleLayout {
  readonly shape: readonly number[];
  readonly scaleShape: readonly number[];
  readonly axis: number;
  /** 0 unless blocks of this many elements along the axis share a scale. */
  readonly blockSize: number;
}

/** The scale that each element of a tensor uses, by flat index. */
export function scaleIndex({ shape, scaleShape, axis, blockSize }: ScaleLayout): (at: number) => number {
  const count = scaleShape.reduce((a, b) => a * b, 1);
  if (count === 1 && blockSize === 0) return () => 0;
  const strides = stridesOf(shape);
  const stride = strides[axis] as number;
  const extent = shape[axis] as number;
  if (blockSize === 0) return (at) => Math.floor(at / stride) % extent;
  const blocks = scaleShape[axis] as number;
  // [outer, extent, stride] → [outer, blocks, stride]
  return (at) => {
    const outer = Math.floor(at / (extent * stride));
    const place = Math.floor(at / stride) % extent;
    return (outer * blocks + Math.floor(place / blockSize)) * stride + (at % stride);
  };
}

const ranges: { readonly [D in DType]?: readonly [low: number, high: number] } = {
  int4: [-8, 7],
  uint4: [0, 15],
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32768, 32767],
  uint16: [0, 65535],
};

/** Dtypes that numbers are quantized to. */
export const quantizedDTypes: readonly DType[] = Object.keys(ranges) as DType[];

/** Smallest and largest number of a quantized dtype. */
export function rangeOf(dtype: DType): readonly [low: number, high: number] {
  return ranges[dtype] as readonly [number, number];
}

/** The integer next to `x`; of two equally near ones the even. */
export function roundHalfToEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest === 0.5) return floor % 2 === 0 ? floor : floor + 1;
  return rest < 0.5 ? floor : floor + 1;
}

/**
 * `clip(round(x / scale) + zeroPoint)`. The quotient is taken in float32, as ONNX says: whether it is a tie that goes to even
 * must not depend on digits that the input does not have.
 */
export function quantized(x: number, scale: number, zeroPoint: number, [low, high]: readonly [number, number]): number {
  return Math.max(low, Math.min(high, roundHalfToEven(Math.fround(Math.fround(x) / Math.fround(scale))) + zeroPoint));
}
