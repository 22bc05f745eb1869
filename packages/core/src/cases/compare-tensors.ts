import { type DType, isFloat } from '../tensor/dtype.js';
import { formatShape, sameShape } from '../tensor/shape.js';
import { type Tensor, toNumbers } from '../tensor/tensor.js';

/** Half the distance between neighbouring numbers at 1, of each floating dtype. */
const unitRoundoff: { readonly [D in DType]?: number } = {
  float64: 2 ** -53,
  float32: 2 ** -24,
  float16: 2 ** -11,
  bfloat16: 2 ** -8,
};

/** `|a − r| ≤ absolute + relative·|r|` */
export interface Tolerance {
  readonly relative: number;
  readonly absolute: number;
}

/** How far a result of `dtype` may be off after `accumulation` roundings of random sign; integers not at all. */
export function toleranceFor(dtype: DType, accumulation = 1): Tolerance {
  const roundoff = unitRoundoff[dtype] ?? 0;
  const relative = 16 * roundoff * Math.sqrt(Math.max(accumulation, 1));
  return { relative, absolute: relative };
}

/**
 * Compares a result with the reference, element by element; NaN equals NaN, infinities must agree.
 *
 * @returns undefined if they agree, else what differs first and by how much.
 */
export function differenceOf(actual: Tensor, expected: Tensor, tolerance: Tolerance): string | undefined {
  if (actual.dtype !== expected.dtype) return `dtype is ${actual.dtype}, not ${expected.dtype}`;
  if (!sameShape(actual.shape, expected.shape)) {
    return `shape is ${formatShape(actual.shape)}, not ${formatShape(expected.shape)}`;
  }
  return isFloat(actual.dtype) ? floatDifference(actual, expected, tolerance) : exactDifference(actual, expected);
}

function exactDifference(actual: Tensor, expected: Tensor): string | undefined {
  for (let at = 0; at < expected.data.length; at++) {
    if (actual.data[at] !== expected.data[at]) return `element ${at} is ${actual.data[at]}, not ${expected.data[at]}`;
  }
  return undefined;
}

function floatDifference(actual: Tensor, expected: Tensor, { relative, absolute }: Tolerance): string | undefined {
  const [left, right] = [toNumbers(actual), toNumbers(expected)];
  for (let at = 0; at < right.length; at++) {
    const [a, r] = [left[at] as number, right[at] as number];
    if (Object.is(a, r) || a === r) continue;
    const isClose = Number.isFinite(a) && Number.isFinite(r) && Math.abs(a - r) <= absolute + relative * Math.abs(r);
    if (!isClose) return `element ${at} is ${a}, not ${r} (off by ${Math.abs(a - r)})`;
  }
  return undefined;
}
