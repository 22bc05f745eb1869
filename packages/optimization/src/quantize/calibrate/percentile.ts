import type { ValueRange } from '../affine.js';
import type { Histogram } from './histogram.js';

/** The bounds between which `percentile` % of the numbers lie, as many left out below as above. */
export function percentileRange(histogram: Histogram, percentile: number): ValueRange {
  const outside = histogram.total * (1 - percentile / 100) * 0.5;
  const { counts } = histogram;
  let [first, below] = [0, counts[0] ?? 0];
  while (below <= outside && first < counts.length - 1) below += counts[++first] as number;
  let last = counts.length - 1;
  let above = counts[last] ?? 0;
  while (above <= outside && last > first) above += counts[--last] as number;
  return { low: histogram.edge(first), high: histogram.edge(last + 1) };
}
