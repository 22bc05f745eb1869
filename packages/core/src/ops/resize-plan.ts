import { type Dimension, multiplyDimensions, normalizeAxis, type Shape } from '../tensor/shape.js';
import type { ResizeAttributes } from './resizing.js';
import { type Fail, failUnnamed } from './window.js';

/** What `Resize` is asked for; `scales`, `sizes` and `roi` are given for `axes` alone. */
export interface ResizeRequest {
  readonly shape: Shape;
  readonly attributes: ResizeAttributes;
  readonly scales: readonly number[] | undefined;
  readonly sizes: readonly number[] | undefined;
  readonly roi?: readonly number[] | undefined;
  readonly fail?: Fail;
}

/** One entry an axis of the input. */
export interface ResizePlan {
  readonly shape: Shape;
  readonly scales: readonly number[];
  readonly roi?: readonly (readonly [start: number, end: number])[];
}

/** `⌊n·scale⌋` in float32, as scales are stored. */
function scaledExtent(extent: Dimension, scale: number): Dimension {
  if (typeof extent === 'number') return Math.floor(Math.fround(extent * scale));
  return Number.isInteger(scale) ? multiplyDimensions(extent, scale) : `floor(${extent}*${scale})`;
}

/**
 * Shape and scale of every axis of a `Resize`.
 *
 * @throws `shape-mismatch` or `invalid-attribute` if scales or sizes do not fit the axes or are not positive.
 */
export function resizePlan(request: ResizeRequest): ResizePlan {
  const { shape, attributes, scales: givenScales, sizes, roi, fail = failUnnamed } = request;
  const axes = attributes.axes?.map((axis) => normalizeAxis(axis, shape.length)) ?? shape.map((_, axis) => axis);
  const wanted = givenScales ?? sizes ?? [];
  if (wanted.length !== axes.length) {
    const what = givenScales === undefined ? 'sizes' : 'scales';
    fail(`${what} has ${wanted.length} elements; ${axes.length} axes are resized`, { given: wanted });
  }
  const isPositive = (each: number): boolean => Number.isFinite(each) && each > 0;
  if (!(givenScales === undefined ? wanted.every((each) => each >= 0) : wanted.every(isPositive))) {
    fail(`cannot resize by [${wanted}]`, { given: wanted }, 'value-out-of-range');
  }
  const result = [...shape];
  const scales = shape.map(() => 1);
  const ratio = sizes === undefined ? undefined : commonRatio(shape as readonly number[], axes, sizes, attributes);
  axes.forEach((axis, index) => {
    const extent = shape[axis] as Dimension;
    if (sizes === undefined) {
      scales[axis] = wanted[index] as number;
      result[axis] = scaledExtent(extent, wanted[index] as number);
    } else if (ratio !== undefined) {
      scales[axis] = ratio;
      result[axis] = Math.floor((extent as number) * ratio + 0.5);
    } else {
      scales[axis] = (sizes[index] as number) / (extent as number);
      result[axis] = sizes[index] as number;
    }
  });
  return { shape: result, scales, ...roiByAxis(shape.length, axes, roi) };
}

// One scale for all axes, so that the picture keeps its proportions.
function commonRatio(
  shape: readonly number[],
  axes: readonly number[],
  sizes: readonly number[],
  { keep_aspect_ratio_policy: policy }: ResizeAttributes,
): number | undefined {
  if (policy === 'stretch') return undefined;
  const ratios = axes.map((axis, index) => (sizes[index] as number) / (shape[axis] as number));
  return policy === 'not_larger' ? Math.min(...ratios) : Math.max(...ratios);
}

function roiByAxis(rank: number, axes: readonly number[], roi: readonly number[] | undefined): Pick<ResizePlan, 'roi'> {
  if (roi === undefined) return {};
  const regions = Array.from({ length: rank }, (): readonly [number, number] => [0, 1]);
  axes.forEach((axis, index) => {
    regions[axis] = [roi[index] as number, roi[index + axes.length] as number];
  });
  return { roi: regions };
}
