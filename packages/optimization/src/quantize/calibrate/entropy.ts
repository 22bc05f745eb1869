import type { ValueRange } from '../affine.js';
import type { Histogram } from './histogram.js';

const levels = 256;
const candidates = 96;
const smallestShare = 0.1;
const unlikely = 1e-9;

/**
 * The range whose 256 levels tell a distribution most like the one that was seen: numbers outside count at its ends.
 *
 * `KL(p‖q) = Σ p·ln(p/q)`, p the histogram cut off at the range, q the same after rounding to the levels.
 *
 * @see Migacz, 8-bit inference with TensorRT, GTC 2017.
 */
export function entropyRange(histogram: Histogram): ValueRange {
  const bins = histogram.counts.length;
  const zero = Math.max(0, Math.min(bins, Math.round(-histogram.low / histogram.width)));
  // What lies further from zero than this is cut off, on either side.
  const furthest = Math.max(zero, bins - zero);
  let [best, least] = [{ first: 0, last: bins }, Number.POSITIVE_INFINITY];
  for (let step = 0; step < candidates; step++) {
    const reach = Math.round(furthest * (1 - ((1 - smallestShare) * step) / candidates));
    const [first, last] = [Math.max(0, zero - reach), Math.min(bins, zero + reach)];
    if (last - first < levels) break;
    const divergence = divergenceWithin(histogram.counts, first, last);
    if (divergence < least) [best, least] = [{ first, last }, divergence];
  }
  return { low: histogram.edge(best.first), high: histogram.edge(best.last) };
}

function divergenceWithin(counts: Float64Array, first: number, last: number): number {
  const inside = counts.slice(first, last);
  const rounded = roundedTo(inside);
  const total = counts.reduce((sum, each) => sum + each, 0);
  const kept = inside.reduce((sum, each) => sum + each, 0);
  if (total === 0 || kept === 0) return 0;
  const p = inside;
  const sumOf = (from: number, to: number): number => counts.subarray(from, to).reduce((sum, each) => sum + each, 0);
  p[0] = (p[0] as number) + sumOf(0, first);
  p[p.length - 1] = (p[p.length - 1] as number) + sumOf(last, counts.length);
  let divergence = 0;
  for (let bin = 0; bin < p.length; bin++) {
    const share = (p[bin] as number) / total;
    if (share > 0) divergence += share * Math.log(share / Math.max((rounded[bin] as number) / kept, unlikely));
  }
  return divergence;
}

/** The histogram as `levels` steps tell it: what shares a step is spread evenly over its bins that are not empty. */
function roundedTo(counts: Float64Array): Float64Array {
  const rounded = new Float64Array(counts.length);
  for (let level = 0; level < levels; level++) {
    const from = Math.floor((level * counts.length) / levels);
    const to = Math.floor(((level + 1) * counts.length) / levels);
    let [sum, filled] = [0, 0];
    for (let bin = from; bin < to; bin++) {
      sum += counts[bin] as number;
      if (counts[bin] !== 0) filled++;
    }
    for (let bin = from; bin < to; bin++) if (counts[bin] !== 0) rounded[bin] = sum / filled;
  }
  return rounded;
}
