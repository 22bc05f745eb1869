import type { SlidingWindow, Taps } from './window.js';
import { windowTaps } from './window.js';

/** Extents of a convolution from the large plane (its input) to the small one (its output). */
export interface ConvolutionLayout {
  readonly batch: number;
  readonly groups: number;
  /** Channels of the large side in one group. */
  readonly largePerGroup: number;
  /** Channels of the small side in one group. */
  readonly smallPerGroup: number;
  readonly large: readonly number[];
  readonly small: readonly number[];
  readonly window: SlidingWindow;
}

const product = (extents: readonly number[]): number => extents.reduce((a, b) => a * b, 1);

type VisitPlanes = (largeAt: number, smallAt: number, weightAt: number, taps: Taps) => void;

// Weights are [groups·smallPerGroup, largePerGroup, …kernel].
function forEachPlanePair(layout: ConvolutionLayout, visit: VisitPlanes): void {
  const { batch, groups, largePerGroup, smallPerGroup } = layout;
  const taps = windowTaps(layout.large, layout.small, layout.window);
  const [largeSpan, smallSpan, kernelSpan] = [product(layout.large), product(layout.small), taps.taps.length];
  for (let n = 0; n < batch; n++) {
    for (let o = 0; o < groups * smallPerGroup; o++) {
      const smallAt = (n * groups * smallPerGroup + o) * smallSpan;
      const firstLarge = (n * groups + Math.floor(o / smallPerGroup)) * largePerGroup;
      for (let c = 0; c < largePerGroup; c++) {
        visit((firstLarge + c) * largeSpan, smallAt, (o * largePerGroup + c) * kernelSpan, taps);
      }
    }
  }
}

/** `small[o] += Σ_{c,k} large[c, o·s + k·d − p] · weight[o, c, k]` */
export function convolve(
  layout: ConvolutionLayout,
  large: Float64Array,
  weight: Float64Array,
  small: Float64Array,
): void {
  forEachPlanePair(layout, (largeAt, smallAt, weightAt, { taps, step }) => {
    for (let k = 0; k < taps.length; k++) {
      const { large: largeRows, small: smallRows, length } = taps[k] as Taps['taps'][number];
      const w = weight[weightAt + k] as number;
      for (let row = 0; row < smallRows.length; row++) {
        let l = largeAt + (largeRows[row] as number);
        const begin = smallAt + (smallRows[row] as number);
        for (let s = begin; s < begin + length; s++, l += step) {
          small[s] = (small[s] as number) + w * (large[l] as number);
        }
      }
    }
  });
}

/** `large[c, o·s + k·d − p] += small[o] · weight[o, c, k]`: the transpose of {@link convolve}. */
export function convolveTransposed(
  layout: ConvolutionLayout,
  small: Float64Array,
  weight: Float64Array,
  large: Float64Array,
): void {
  forEachPlanePair(layout, (largeAt, smallAt, weightAt, { taps, step }) => {
    for (let k = 0; k < taps.length; k++) {
      const { large: largeRows, small: smallRows, length } = taps[k] as Taps['taps'][number];
      const w = weight[weightAt + k] as number;
      for (let row = 0; row < smallRows.length; row++) {
        let l = largeAt + (largeRows[row] as number);
        const begin = smallAt + (smallRows[row] as number);
        for (let s = begin; s < begin + length; s++, l += step) {
          large[l] = (large[l] as number) + w * (small[s] as number);
        }
      }
    }
  });
}

/** `weight[o, c, k] += Σ_{n,o} small[n, o] · large[n, c, o·s + k·d − p]` */
export function correlate(
  layout: ConvolutionLayout,
  large: Float64Array,
  small: Float64Array,
  weight: Float64Array,
): void {
  forEachPlanePair(layout, (largeAt, smallAt, weightAt, { taps, step }) => {
    for (let k = 0; k < taps.length; k++) {
      const { large: largeRows, small: smallRows, length } = taps[k] as Taps['taps'][number];
      let sum = 0;
      for (let row = 0; row < smallRows.length; row++) {
        let l = largeAt + (largeRows[row] as number);
        const begin = smallAt + (smallRows[row] as number);
        for (let s = begin; s < begin + length; s++, l += step) sum += (small[s] as number) * (large[l] as number);
      }
      weight[weightAt + k] = (weight[weightAt + k] as number) + sum;
    }
  });
}
