import { fromNumbers, stridesOf, type Tensor, Tensor as TensorClass, toNumbers } from '@modelwright/core';

/** Bounds of the numbers that a tensor takes. */
export interface ValueRange {
  readonly low: number;
  readonly high: number;
}

/** `x ≈ (q − zeroPoint)·scale` for 8-bit `q`. */
export interface AffineParameters {
  readonly dtype: 'uint8' | 'int8';
  /** One, or one for each place of {@link axis}. Exactly representable in float32. */
  readonly scales: readonly number[];
  readonly zeroPoint: number;
  /** Axis that the scales belong to; undefined where one serves all. */
  readonly axis?: number;
}

const limits = { uint8: [0, 255], int8: [-128, 127] } as const;
/** Below this a scale says that the numbers are all zero: any serves. */
const smallestScale = 1e-30;

/**
 * Scale and zero point of an activation. Zero is always represented exactly: padding and rectified numbers depend on it.
 *
 * `scale = (high − low)/255`, `zeroPoint = round(qmin − low/scale)`; symmetric: `scale = max(|low|, |high|)/127`.
 *
 * @see Jacob et al., arXiv:1712.05877, §2.1 and §3.
 */
export function activationParameters(
  range: ValueRange,
  { dtype, symmetric }: { readonly dtype: 'uint8' | 'int8'; readonly symmetric: boolean },
): AffineParameters {
  const [low, high] = [Math.min(0, range.low), Math.max(0, range.high)];
  const [least, most] = limits[dtype];
  if (symmetric) {
    // What is never negative has no use for half of uint8.
    if (dtype === 'uint8' && low === 0) return { dtype, scales: [positiveScale(high / most)], zeroPoint: 0 };
    const scale = positiveScale(Math.max(-low, high) / 127);
    return { dtype, scales: [scale], zeroPoint: dtype === 'int8' ? 0 : 128 };
  }
  const scale = positiveScale((high - low) / (most - least));
  const zeroPoint = Math.max(least, Math.min(most, Math.round(least - low / scale)));
  return { dtype, scales: [scale], zeroPoint };
}

function positiveScale(exact: number): number {
  const scale = Math.fround(exact);
  return scale > smallestScale && Number.isFinite(scale) ? scale : 1;
}

export interface WeightOptions {
  readonly dtype: 'uint8' | 'int8';
  /** Largest step away from zero: 127, or 64 for 7 bits. */
  readonly levels: number;
  /** Axis with a scale for each place; undefined takes one scale for all. */
  readonly axis: number | undefined;
  /**
   * `max` covers the largest weight; `mse` tries smaller ranges too and takes that with the least squared error. Default `max`.
   */
  readonly range?: 'max' | 'mse';
  /** Scales that must not be undercut, one or one for each place of the axis. */
  readonly least?: readonly number[];
}

/** Scales of a weight: symmetric, so that its zeros stay zero. */
export function weightParameters(weight: Tensor, options: WeightOptions): AffineParameters {
  const { dtype, levels, axis, range = 'max', least } = options;
  const groups = groupsOf(weight, axis);
  const scales = groups.map((numbers, index) => {
    const bound = numbers.reduce((most, each) => Math.max(most, Math.abs(each)), 0);
    const scale = range === 'mse' ? leastSquaresScale(numbers, bound, levels) : bound / levels;
    return positiveScale(Math.max(scale, least?.[least.length === 1 ? 0 : index] ?? 0));
  });
  return { dtype, scales, zeroPoint: dtype === 'int8' ? 0 : 128, ...(axis === undefined ? {} : { axis }) };
}

const shrinkSteps = 20;
const smallestShrink = 0.6;

/** Clipping few large weights may cost less than coarser steps for all. */
function leastSquaresScale(numbers: Float64Array, bound: number, levels: number): number {
  let [best, bestError] = [bound / levels, Number.POSITIVE_INFINITY];
  if (bound === 0) return best;
  for (let step = 0; step <= shrinkSteps; step++) {
    const scale = (bound * (1 - ((1 - smallestShrink) * step) / shrinkSteps)) / levels;
    let error = 0;
    for (const each of numbers) {
      const rounded = Math.max(-levels, Math.min(levels, Math.round(each / scale))) * scale;
      error += (each - rounded) ** 2;
    }
    if (error < bestError) [best, bestError] = [scale, error];
  }
  return best;
}

/** The elements that share a scale: all, or those of each place of the axis. */
function groupsOf(tensor: Tensor, axis: number | undefined): readonly Float64Array[] {
  const numbers = toNumbers(tensor);
  if (axis === undefined) return [numbers];
  const { extent, stride } = axisOf(tensor.shape, axis);
  const groups = Array.from({ length: extent }, () => new Float64Array(numbers.length / Math.max(1, extent)));
  const filled = new Int32Array(extent);
  for (let at = 0; at < numbers.length; at++) {
    const place = Math.floor(at / stride) % extent;
    (groups[place] as Float64Array)[filled[place] as number] = numbers[at] as number;
    filled[place] = (filled[place] as number) + 1;
  }
  return groups;
}

function axisOf(shape: readonly number[], axis: number): { readonly extent: number; readonly stride: number } {
  return { extent: shape[axis] as number, stride: stridesOf(shape)[axis] as number };
}

/** The place of each element along the axis of `parameters`: which scale is its own. */
function scaleOf(shape: readonly number[], { scales, axis }: AffineParameters): (at: number) => number {
  const [only = 1] = scales;
  if (axis === undefined) return () => only;
  const { extent, stride } = axisOf(shape, axis);
  return (at) => scales[Math.floor(at / stride) % extent] as number;
}

/** `clip(round(x/scale) + zeroPoint)`, within ±`levels` steps of the zero point where given. */
export function quantizeTensor(tensor: Tensor, parameters: AffineParameters, levels?: number): Tensor {
  const { dtype, zeroPoint } = parameters;
  const [least, most] = limits[dtype];
  const low = Math.max(least, levels === undefined ? least : zeroPoint - levels);
  const high = Math.min(most, levels === undefined ? most : zeroPoint + levels);
  const at = scaleOf(tensor.shape, parameters);
  const q = toNumbers(tensor).map((x, index) => Math.max(low, Math.min(high, Math.round(x / at(index)) + zeroPoint)));
  return fromNumbers(dtype, tensor.shape, q);
}

/** `(q − zeroPoint)·scale` in float32. */
export function dequantizeTensor(q: Tensor, parameters: AffineParameters): Tensor {
  const at = scaleOf(q.shape, parameters);
  const x = toNumbers(q).map((each, index) => (each - parameters.zeroPoint) * at(index));
  return fromNumbers('float32', q.shape, x);
}

/** The scales as a tensor: a scalar, or a vector along the axis. */
export function scaleTensor({ scales, axis }: AffineParameters): Tensor {
  return new TensorClass('float32', axis === undefined ? [] : [scales.length], Float32Array.from(scales));
}

/** The zero points as a tensor of the scales' shape. */
export function zeroPointTensor({ scales, axis, dtype, zeroPoint }: AffineParameters): Tensor {
  return fromNumbers(
    dtype,
    axis === undefined ? [] : [scales.length],
    scales.map(() => zeroPoint),
  );
}
