import { ModelwrightError } from '../errors.js';
import { addDimensions, type Dimension, floorDivideDimensions, formatShape, type Shape } from '../tensor/shape.js';
import { elementCountOf } from '../tensor/tensor.js';
import type { InferContext } from './definition.js';

/** The attributes by which convolutions and pooling ops move their window. */
export interface WindowAttributes {
  readonly auto_pad: 'NOTSET' | 'SAME_UPPER' | 'SAME_LOWER' | 'VALID';
  readonly ceil_mode?: number;
  readonly strides?: readonly number[];
  readonly dilations?: readonly number[];
  readonly pads?: readonly number[];
}

/** How a window moves, one number an axis; `pads` holds all begins, then all ends. */
export interface SlidingWindow {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly pads: readonly number[];
}

/** Throws with the user's layer path in front of the message. */
export type Fail = InferContext<object>['fail'];

/** For rules that run after the node was checked, and so know no layer. */
export const failUnnamed: Fail = (message, details = {}, code = 'shape-mismatch') => {
  throw new ModelwrightError(code, message, details);
};

/** Attributes with their defaults filled in; padding only where it is explicit. */
export function filledWindow(
  kernel: readonly number[],
  attributes: Omit<WindowAttributes, 'ceil_mode'>,
): SlidingWindow {
  const ones = kernel.map(() => 1);
  const explicit = attributes.auto_pad === 'NOTSET' ? attributes.pads : undefined;
  return {
    kernel,
    strides: attributes.strides ?? ones,
    dilations: attributes.dilations ?? ones,
    pads: explicit ?? new Array<number>(2 * kernel.length).fill(0),
  };
}

/** Like {@link filledWindow}; throws `invalid-attribute` for lists of wrong length or with impossible values. */
export function checkedWindow(
  fail: Fail,
  kernel: readonly number[],
  attributes: Omit<WindowAttributes, 'ceil_mode'>,
): SlidingWindow {
  const window = filledWindow(kernel, attributes);
  const rank = kernel.length;
  requireIntegers(fail, 'kernel_shape', kernel, { length: rank, min: 1 });
  requireIntegers(fail, 'strides', window.strides, { length: rank, min: 1 });
  requireIntegers(fail, 'dilations', window.dilations, { length: rank, min: 1 });
  requireIntegers(fail, 'pads', window.pads, { length: 2 * rank, min: 0 });
  return window;
}

/** Throws `invalid-attribute` unless `given` holds `length` integers ≥ `min`. */
export function requireIntegers(
  fail: Fail,
  name: string,
  given: readonly number[],
  { length, min }: { readonly length: number; readonly min: number },
): void {
  if (given.length === length && given.every((each) => Number.isInteger(each) && each >= min)) return;
  fail(`${name} is [${given}]; ${length} integers ≥ ${min} are needed`, { given }, 'invalid-attribute');
}

/** Extent that a window of `kernel` elements covers: `(k − 1)·d + 1`. */
export function coveredExtent(window: SlidingWindow, axis: number): number {
  return ((window.kernel[axis] as number) - 1) * (window.dilations[axis] as number) + 1;
}

/**
 * Number of places a window takes along each axis.
 *
 * `⌊(n + p_begin + p_end − ((k − 1)·d + 1)) / s⌋ + 1`; with `ceil_mode` rounded up, except that no window starts in the
 * end padding; `⌈n / s⌉` for `SAME_*`.
 *
 * @throws `shape-mismatch` if the window does not fit once.
 */
export function windowOutput(
  fail: Fail,
  spatial: Shape,
  window: SlidingWindow,
  attributes: WindowAttributes,
): readonly Dimension[] {
  const rank = spatial.length;
  return spatial.map((extent, axis) => {
    const stride = window.strides[axis] as number;
    if (attributes.auto_pad.startsWith('SAME')) {
      return floorDivideDimensions(addDimensions(extent, stride - 1), stride);
    }
    const begin = window.pads[axis] as number;
    const end = window.pads[axis + rank] as number;
    const covered = coveredExtent(window, axis);
    if (typeof extent === 'number' && extent + begin + end < covered) {
      fail(
        `a window of ${window.kernel[axis]} (dilation ${window.dilations[axis]}) covers ${covered} elements, but spatial axis ${axis} has ${extent} + padding ${begin} + ${end}. Spatial shape ${formatShape(spatial)}, window [${window.kernel}].`,
        { given: extent, allowed: `≥ ${covered - begin - end}` },
      );
    }
    // ⌊r / s⌋ + 1 as ⌊(r + s) / s⌋: symbols stay short.
    const rest = begin + end - covered + stride;
    if (!attributes.ceil_mode) return floorDivideDimensions(addDimensions(extent, rest), stride);
    const places = floorDivideDimensions(addDimensions(extent, rest + stride - 1), stride);
    // Only a stride that outruns the window can start one in the end padding.
    if (end + stride <= covered) return places;
    return smallerDimension(places, floorDivideDimensions(addDimensions(extent, begin - 1 + stride), stride));
  });
}

function smallerDimension(a: Dimension, b: Dimension): Dimension {
  if (a === b) return a;
  return typeof a === 'number' && typeof b === 'number' ? Math.min(a, b) : `min(${a},${b})`;
}

/** The window with the padding that `auto_pad` stands for written out. */
export function withExplicitPads(
  window: SlidingWindow,
  spatial: readonly number[],
  autoPad: WindowAttributes['auto_pad'],
): SlidingWindow {
  if (!autoPad.startsWith('SAME')) return window;
  const totals = spatial.map((extent, axis) => {
    const stride = window.strides[axis] as number;
    return Math.max(0, (Math.ceil(extent / stride) - 1) * stride + coveredExtent(window, axis) - extent);
  });
  return { ...window, pads: sharePadding(totals, autoPad === 'SAME_UPPER') };
}

/** Splits total padding into begins and ends; of an odd one `atEnd` says who gets more. */
export function sharePadding(totals: readonly number[], atEnd: boolean): readonly number[] {
  const smaller = totals.map((total) => Math.floor(total / 2));
  const larger = totals.map((total) => Math.ceil(total / 2));
  return atEnd ? [...smaller, ...larger] : [...larger, ...smaller];
}

/** The attributes of a window with explicit pads, as nodes carry them. */
export function explicitAttributes(window: SlidingWindow): {
  auto_pad: 'NOTSET';
  kernel_shape: readonly number[];
  strides: readonly number[];
  dilations: readonly number[];
  pads: readonly number[];
} {
  return {
    auto_pad: 'NOTSET',
    kernel_shape: window.kernel,
    strides: window.strides,
    dilations: window.dilations,
    pads: window.pads,
  };
}

/**
 * Where one element of the kernel meets the two planes: row `r` pairs `large[large[r] + i·step]` with `small[small[r] + i]`
 * for `0 ≤ i < length`. Places in the padding are left out.
 */
export interface Tap {
  readonly large: Int32Array;
  readonly small: Int32Array;
  readonly length: number;
}

/** All taps of a window in row-major order of the kernel, and the distance between neighbours in the large plane. */
export interface Taps {
  readonly taps: readonly Tap[];
  readonly step: number;
}

/**
 * Lists the pairs of elements that a window brings together, once for all planes of a batch.
 *
 * @param large - Spatial shape that the window slides over.
 * @param small - Spatial shape of its places.
 */
export function windowTaps(large: readonly number[], small: readonly number[], window: SlidingWindow): Taps {
  const taps: Tap[] = [];
  const count = elementCountOf(window.kernel);
  for (let index = 0; index < count; index++) taps.push(tapAt(index, large, small, window));
  return { taps, step: window.strides.at(-1) ?? 1 };
}

function tapAt(index: number, large: readonly number[], small: readonly number[], window: SlidingWindow): Tap {
  const position = unravel(index, window.kernel);
  let rows: [large: number, small: number][] = [[0, 0]];
  let length = 1;
  large.forEach((extent, axis) => {
    const places = small[axis] as number;
    const stride = window.strides[axis] as number;
    // Place o meets element o·stride − shift.
    const shift = (window.pads[axis] as number) - (position[axis] as number) * (window.dilations[axis] as number);
    const first = Math.max(0, Math.ceil(shift / stride));
    const last = Math.min(places - 1, Math.floor((extent - 1 + shift) / stride));
    if (axis === large.length - 1) {
      length = Math.max(0, last - first + 1);
      rows = rows.map(([l, s]) => [l * extent + first * stride - shift, s * places + first]);
      return;
    }
    const deeper: [number, number][] = [];
    for (const [l, s] of rows) {
      for (let o = first; o <= last; o++) deeper.push([l * extent + o * stride - shift, s * places + o]);
    }
    rows = deeper;
  });
  if (length === 0) rows = [];
  return { large: Int32Array.from(rows, ([l]) => l), small: Int32Array.from(rows, ([, s]) => s), length };
}

function unravel(index: number, shape: readonly number[]): readonly number[] {
  const position = new Array<number>(shape.length);
  let rest = index;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const extent = shape[axis] as number;
    position[axis] = rest % extent;
    rest = Math.floor(rest / extent);
  }
  return position;
}

/**
 * Padding at the end and extra extent that bring the transpose of a window from `small` places back to exactly `large`
 * elements: `(o − 1)·s + (k − 1)·d + 1 − p_begin − end + extra = n`.
 */
export function transposedEnds(
  large: readonly number[],
  small: readonly number[],
  window: SlidingWindow,
): { readonly ends: readonly number[]; readonly extra: readonly number[] } {
  const rest = large.map((extent, axis) => {
    const reached =
      ((small[axis] as number) - 1) * (window.strides[axis] as number) +
      coveredExtent(window, axis) -
      (window.pads[axis] as number);
    return extent - reached;
  });
  return { ends: rest.map((each) => Math.max(0, -each)), extra: rest.map((each) => Math.max(0, each)) };
}
