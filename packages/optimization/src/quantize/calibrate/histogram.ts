import type { ValueRange } from '../affine.js';

/** How often numbers fall into bins of equal width between two bounds. */
export class Histogram {
  readonly low: number;
  readonly width: number;
  readonly counts: Float64Array;
  #total = 0;

  constructor({ low, high }: ValueRange, bins: number) {
    this.low = low;
    // Numbers that are all equal fall into one bin.
    this.width = high > low ? (high - low) / bins : 1;
    this.counts = new Float64Array(bins);
  }

  get total(): number {
    return this.#total;
  }

  observe(numbers: ArrayLike<number>): void {
    const last = this.counts.length - 1;
    const perUnit = 1 / this.width;
    for (let at = 0; at < numbers.length; at++) {
      const bin = Math.max(0, Math.min(last, Math.floor(((numbers[at] as number) - this.low) * perUnit)));
      this.counts[bin] = (this.counts[bin] as number) + 1;
    }
    this.#total += numbers.length;
  }

  /** Lower edge of a bin. */
  edge(bin: number): number {
    return this.low + bin * this.width;
  }
}
