import type { Estimate } from './confidence.js';
import type { Quality, StageRecord } from './record.js';

/** `1.63 MB`, in powers of 1000. */
export function formatBytes(sizeBytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const power = sizeBytes < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(sizeBytes) / 3));
  return `${power === 0 ? sizeBytes : short(sizeBytes / 1000 ** power)} ${units[power]}`;
}

/** `421,642`; above a million `1.23 M`. */
export function formatCount(count: number): string {
  if (count >= 1e9) return `${short(count / 1e9)} G`;
  return count >= 1e6 ? `${short(count / 1e6)} M` : Math.round(count).toLocaleString('en-US');
}

/** `97.31 % (96.9 … 97.6)`: shares in per cent, anything else as it is. */
export function formatQuality(quality: Quality): string {
  const value = formatValue(quality, 4);
  if (quality.low === undefined || quality.high === undefined) return value;
  const [low, high] = [quality.low, quality.high].map((each) => formatValue({ ...quality, value: each }, 3, false));
  return `${value} (${low} … ${high})`;
}

function formatValue({ name, value }: Quality, digits: number, unit = true): string {
  const isShare = value >= 0 && value <= 1 && !unbounded.test(name);
  return isShare ? `${(value * 100).toFixed(digits - 2)}${unit ? ' %' : ''}` : short(value, digits);
}

/** Names of measures that are not shares even where they lie between 0 and 1. */
const unbounded = /loss|error|perplexity|score/i;

/** `0.123 ms ± 2 %` */
export function formatMilliseconds(estimate: Estimate): string {
  const { median } = estimate;
  return `${median >= 1000 ? `${short(median / 1000)} s` : `${short(median)} ms`} ± ${spread(estimate)}`;
}

/** `12,345/s ± 2 %` */
export function formatRate(estimate: Estimate): string {
  const { median } = estimate;
  const shown = median >= 1000 ? Number(median.toPrecision(3)).toLocaleString('en-US') : short(median);
  return `${shown}/s ± ${spread(estimate)}`;
}

/** `12.3 MB ± 2 %` */
export function formatMemory(estimate: Estimate): string {
  return `${formatBytes(estimate.median)} ± ${spread(estimate)}`;
}

/** `1.83× (1.79 … 1.90)` */
export function formatSpeedup({ median, low, high }: Estimate): string {
  return `${short(median)}× (${short(low)} … ${short(high)})`;
}

/** `3.1 %`; very small ones as a power of ten. */
export function formatError(error: number): string {
  if (error === 0) return '0';
  if (!Number.isFinite(error)) return 'not finite';
  return error < 1e-4 ? error.toExponential(1) : `${short(error * 100)} %`;
}

/** `2.5 ×` smaller, as a factor before / after. */
export function formatFactor(before: number, after: number): string {
  return after > 0 ? `${short(before / after)}×` : '';
}

/** `12.5 %` of weights are zero. */
export function sparsityOf({ weights, nonZeroWeights }: StageRecord): number {
  return weights === 0 ? 0 : 1 - nonZeroWeights / weights;
}

/** Three digits that matter. */
export function short(value: number, digits = 3): string {
  if (!Number.isFinite(value)) return String(value);
  return Math.abs(value) >= 10 ** digits ? String(Math.round(value)) : value.toPrecision(digits);
}

function spread({ median, low, high }: Estimate): string {
  const share = median === 0 ? 0 : Math.max(high - median, median - low) / median;
  return `${short(share * 100, 2)} %`;
}
