import { elementCountOf } from '../tensor/tensor.js';
import type { PoolAttributes } from './pooling.js';
import {
  checkedWindow,
  type Fail,
  failUnnamed,
  filledWindow,
  type SlidingWindow,
  type Taps,
  windowOutput,
  windowTaps,
  withExplicitPads,
} from './window.js';

/** A pooling window over concrete extents. */
export interface Pooling {
  readonly planes: number;
  readonly large: readonly number[];
  readonly small: readonly number[];
  /** Padding written out. */
  readonly window: SlidingWindow;
  readonly taps: Taps;
}

/** Attributes of a pool whose `ceil_mode` may be left out. */
export type PoolWindow = Omit<PoolAttributes, 'ceil_mode'> & { readonly ceil_mode?: number };

/** The window of a pooling op over the whole shape `[batch, channels, …spatial]`. */
export function poolingOf(shape: readonly number[], attributes: PoolWindow, fail: Fail = failUnnamed): Pooling {
  const large = shape.slice(2);
  const plain = checkedWindow(fail, attributes.kernel_shape, attributes);
  const small = windowOutput(fail, large, plain, attributes) as readonly number[];
  const window = withExplicitPads(plain, large, attributes.auto_pad);
  return {
    planes: elementCountOf(shape.slice(0, 2)),
    large,
    small,
    window,
    taps: windowTaps(large, small, window),
  };
}

/** The attributes of a pool with its padding written out. */
export function explicitPool(attributes: PoolWindow, spatial: readonly number[]): PoolAttributes {
  const same = attributes.auto_pad.startsWith('SAME');
  const window = withExplicitPads(filledWindow(attributes.kernel_shape, attributes), spatial, attributes.auto_pad);
  return {
    auto_pad: 'NOTSET',
    // SAME fits exactly; rounding up would add a place.
    ceil_mode: same ? 0 : (attributes.ceil_mode ?? 0),
    kernel_shape: window.kernel,
    strides: window.strides,
    dilations: window.dilations,
    pads: window.pads,
  };
}

/** Visits every (large, small) pair of every plane, kernel elements in row-major order outermost within a plane. */
export function forEachPoolingPair(pooling: Pooling, visit: (largeAt: number, smallAt: number) => void): void {
  const [largeSpan, smallSpan] = [elementCountOf(pooling.large), elementCountOf(pooling.small)];
  const { taps, step } = pooling.taps;
  for (let plane = 0; plane < pooling.planes; plane++) {
    for (const { large, small, length } of taps) {
      for (let row = 0; row < small.length; row++) {
        let largeAt = plane * largeSpan + (large[row] as number);
        const begin = plane * smallSpan + (small[row] as number);
        for (let smallAt = begin; smallAt < begin + length; smallAt++, largeAt += step) visit(largeAt, smallAt);
      }
    }
  }
}

/** Flat index of the largest element of each window; of equal ones the first, and NaN counts as largest. */
export function argMaxOfWindows(pooling: Pooling, x: Float64Array): Int32Array {
  const best = new Int32Array(pooling.planes * elementCountOf(pooling.small)).fill(-1);
  forEachPoolingPair(pooling, (largeAt, smallAt) => {
    const held = best[smallAt] as number;
    const value = x[largeAt] as number;
    if (held < 0 || value > (x[held] as number) || (Number.isNaN(value) && !Number.isNaN(x[held])))
      best[smallAt] = largeAt;
  });
  return best;
}

/**
 * What the sum of each window is divided by: the elements it covers; with `includePadding` those in the declared padding
 * too (but not those beyond it, which rounding up may add).
 */
export function divisorsOf(pooling: Pooling, includePadding: boolean): Float64Array {
  const { large, small, window } = pooling;
  const perAxis = large.map((extent, axis) => {
    const begin = window.pads[axis] as number;
    const end = window.pads[axis + large.length] as number;
    const [from, to] = includePadding ? [-begin, extent + end] : [0, extent];
    return countsAlong(axis, { places: small[axis] as number, window, from, to });
  });
  let divisors = [1];
  for (const counts of perAxis) divisors = divisors.flatMap((each) => counts.map((count) => each * count));
  return Float64Array.from(divisors);
}

interface Line {
  readonly places: number;
  readonly window: SlidingWindow;
  readonly from: number;
  readonly to: number;
}

// How many elements of the window at each place lie in [from, to).
function countsAlong(axis: number, { places, window, from, to }: Line): number[] {
  const [stride, dilation] = [window.strides[axis] as number, window.dilations[axis] as number];
  return Array.from({ length: places }, (_, place) => {
    let count = 0;
    for (let k = 0; k < (window.kernel[axis] as number); k++) {
      const at = place * stride + k * dilation - (window.pads[axis] as number);
      if (at >= from && at < to) count++;
    }
    return count;
  });
}
