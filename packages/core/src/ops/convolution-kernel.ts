import { type SlidingWindow, type Tap, type Taps, windowTaps } from './window.js';

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

// Columns beyond this many elements would no longer stay near the processor.
const columnBudget = 2 ** 17;

const product = (extents: readonly number[]): number => extents.reduce((a, b) => a * b, 1);

/**
 * Some channels of one sample as a matrix: row `(c, k)` holds what kernel element `k` meets in channel `c` at every place.
 * That makes a convolution a product of matrices: `small = weight · columns`.
 */
interface Columns {
  readonly values: Float64Array;
  /** Rows in use: channels × kernel elements. */
  readonly depth: number;
  /** Places: the length of a row. */
  readonly places: number;
}

interface Chunk {
  readonly columns: Columns;
  /** Where the chunk's first channel begins on the large side. */
  readonly largeAt: number;
  /** Where the group's first channel begins on the small side. */
  readonly smallAt: number;
  /** Where the weights of the chunk begin; those of the next filter lie `weightStride` further. */
  readonly weightAt: number;
  readonly weightStride: number;
  readonly filters: number;
  readonly taps: Taps;
  readonly largeSpan: number;
}

// Weights are [groups·smallPerGroup, largePerGroup, …kernel].
function forEachChunk(layout: ConvolutionLayout, visit: (chunk: Chunk) => void): void {
  const { batch, groups, largePerGroup, smallPerGroup: filters } = layout;
  const taps = windowTaps(layout.large, layout.small, layout.window);
  const [largeSpan, places, kernelSpan] = [product(layout.large), product(layout.small), taps.taps.length];
  const channels = Math.max(1, Math.min(largePerGroup, Math.floor(columnBudget / Math.max(1, kernelSpan * places))));
  // Places in the padding are never written and stay 0.
  const values = new Float64Array(channels * kernelSpan * places);
  const weightStride = largePerGroup * kernelSpan;
  for (let block = 0; block < batch * groups; block++) {
    for (let first = 0; first < largePerGroup; first += channels) {
      visit({
        columns: { values, depth: Math.min(channels, largePerGroup - first) * kernelSpan, places },
        largeAt: (block * largePerGroup + first) * largeSpan,
        smallAt: block * filters * places,
        weightAt: (block % groups) * filters * weightStride + first * kernelSpan,
        weightStride,
        filters,
        taps,
        largeSpan,
      });
    }
  }
}

function gatherColumns({ columns, taps, largeAt, largeSpan }: Chunk, large: Float64Array): void {
  const { values, depth, places } = columns;
  for (let row = 0; row < depth; row++) {
    const tap = taps.taps[row % taps.taps.length] as Tap;
    const channelAt = largeAt + Math.floor(row / taps.taps.length) * largeSpan;
    for (let line = 0; line < tap.small.length; line++) {
      let from = channelAt + (tap.large[line] as number);
      const begin = row * places + (tap.small[line] as number);
      for (let at = begin; at < begin + tap.length; at++, from += taps.step) values[at] = large[from] as number;
    }
  }
}

function scatterColumns({ columns, taps, largeAt, largeSpan }: Chunk, large: Float64Array): void {
  const { values, depth, places } = columns;
  for (let row = 0; row < depth; row++) {
    const tap = taps.taps[row % taps.taps.length] as Tap;
    const channelAt = largeAt + Math.floor(row / taps.taps.length) * largeSpan;
    for (let line = 0; line < tap.small.length; line++) {
      let to = channelAt + (tap.large[line] as number);
      const begin = row * places + (tap.small[line] as number);
      for (let at = begin; at < begin + tap.length; at++, to += taps.step) {
        large[to] = (large[to] as number) + (values[at] as number);
      }
    }
  }
}

/** One operand of {@link addRows}: rows lie `stride` apart. */
interface Rows {
  readonly values: Float64Array;
  readonly at: number;
  readonly stride: number;
  readonly count: number;
}

// target += Σ_r factor(r)·row(r); four rows at a time, so that the target is read and written a quarter as often.
function addRows(target: Float64Array, at: number, length: number, rows: Rows, factor: (row: number) => number): void {
  const { values, stride, count } = rows;
  let row = 0;
  for (; row + 4 <= count; row += 4) {
    const [f0, f1, f2, f3] = [factor(row), factor(row + 1), factor(row + 2), factor(row + 3)];
    const r0 = rows.at + row * stride;
    const [r1, r2, r3] = [r0 + stride, r0 + 2 * stride, r0 + 3 * stride];
    for (let i = 0; i < length; i++) {
      target[at + i] =
        (target[at + i] as number) +
        (f0 * (values[r0 + i] as number) + f1 * (values[r1 + i] as number)) +
        (f2 * (values[r2 + i] as number) + f3 * (values[r3 + i] as number));
    }
  }
  for (; row < count; row++) {
    const f = factor(row);
    const r = rows.at + row * stride;
    for (let i = 0; i < length; i++) target[at + i] = (target[at + i] as number) + f * (values[r + i] as number);
  }
}

/** `small[o] += Σ_{c,k} large[c, o·s + k·d − p] · weight[o, c, k]` */
export function convolve(
  layout: ConvolutionLayout,
  large: Float64Array,
  weight: Float64Array,
  small: Float64Array,
): void {
  forEachChunk(layout, (chunk) => {
    gatherColumns(chunk, large);
    const { values, depth, places } = chunk.columns;
    const rows: Rows = { values, at: 0, stride: places, count: depth };
    for (let filter = 0; filter < chunk.filters; filter++) {
      const weightAt = chunk.weightAt + filter * chunk.weightStride;
      addRows(small, chunk.smallAt + filter * places, places, rows, (row) => weight[weightAt + row] as number);
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
  forEachChunk(layout, (chunk) => {
    const { values, depth, places } = chunk.columns;
    const rows: Rows = { values: small, at: chunk.smallAt, stride: places, count: chunk.filters };
    values.fill(0, 0, depth * places);
    for (let row = 0; row < depth; row++) {
      const weightAt = chunk.weightAt + row;
      addRows(values, row * places, places, rows, (filter) => weight[weightAt + filter * chunk.weightStride] as number);
    }
    scatterColumns(chunk, large);
  });
}

/** `weight[o, c, k] += Σ_{n,o} small[n, o] · large[n, c, o·s + k·d − p]` */
export function correlate(
  layout: ConvolutionLayout,
  large: Float64Array,
  small: Float64Array,
  weight: Float64Array,
): void {
  forEachChunk(layout, (chunk) => {
    gatherColumns(chunk, large);
    for (let filter = 0; filter < chunk.filters; filter++) {
      addProducts(weight, chunk.weightAt + filter * chunk.weightStride, chunk, small, filter);
    }
  });
}

// weight[row] += ⟨columns[row], small[filter]⟩, four rows at a time
function addProducts(weight: Float64Array, at: number, chunk: Chunk, small: Float64Array, filter: number): void {
  const { values, depth, places } = chunk.columns;
  const from = chunk.smallAt + filter * places;
  let row = 0;
  for (; row + 4 <= depth; row += 4) {
    const r0 = row * places;
    const [r1, r2, r3] = [r0 + places, r0 + 2 * places, r0 + 3 * places];
    let [s0, s1, s2, s3] = [0, 0, 0, 0];
    for (let i = 0; i < places; i++) {
      const value = small[from + i] as number;
      s0 += value * (values[r0 + i] as number);
      s1 += value * (values[r1 + i] as number);
      s2 += value * (values[r2 + i] as number);
      s3 += value * (values[r3 + i] as number);
    }
    weight[at + row] = (weight[at + row] as number) + s0;
    weight[at + row + 1] = (weight[at + row + 1] as number) + s1;
    weight[at + row + 2] = (weight[at + row + 2] as number) + s2;
    weight[at + row + 3] = (weight[at + row + 3] as number) + s3;
  }
  for (; row < depth; row++) {
    let sum = 0;
    for (let i = 0; i < places; i++) sum += (small[from + i] as number) * (values[row * places + i] as number);
    weight[at + row] = (weight[at + row] as number) + sum;
  }
}
