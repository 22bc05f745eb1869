/** How a feature was distributed at first, and is now. */
export interface FeatureReport {
  readonly feature: string;
  readonly input: string;
  readonly kind: 'number' | 'category';
  /** Population stability index; nothing while there is too little to compare. */
  readonly score?: number;
  readonly baseline?: DistributionReport;
  readonly current?: DistributionReport;
}

/** A distribution in short. */
export interface DistributionReport {
  readonly count: number;
  /** Of numbers that are finite. */
  readonly mean?: number;
  readonly deviation?: number;
  /** Share of values that are not finite. */
  readonly notFinite?: number;
  /** Share of values outside of all that the baseline saw. */
  readonly outside?: number;
}

export interface DriftWindows {
  /** Values of the baseline. */
  readonly baseline: number;
  /** Values that the present is judged by: between half of them and all. */
  readonly window: number;
  /** Fewer are not compared. */
  readonly minimum: number;
}

/** Numbers are compared by these parts of the baseline, and by what lies below, above, or is no number. */
const quantiles = 10;

/** One feature: its baseline, and a window over the latest values. Memory does not grow with their number. */
export class FeatureDrift {
  readonly #about: Pick<FeatureReport, 'feature' | 'input' | 'kind'>;
  readonly #categories: number;
  readonly #windows: DriftWindows;
  #first: number[] = [];
  #bins: Bins | undefined;
  #baseline: Tally | undefined;
  #previous: Tally | undefined;
  #latest: Tally | undefined;

  /** @param about.categories - How many there are, of a feature of that kind. */
  constructor(
    { categories = 1, ...about }: Pick<FeatureReport, 'feature' | 'input' | 'kind'> & { readonly categories?: number },
    windows: DriftWindows,
  ) {
    this.#about = about;
    this.#categories = categories;
    this.#windows = windows;
  }

  add(value: number): void {
    if (this.#bins === undefined || this.#latest === undefined) {
      this.#first.push(value);
      if (this.#first.length >= this.#windows.baseline) this.#fix();
      return;
    }
    if (this.#latest.count >= this.#windows.window / 2) {
      this.#previous = this.#latest;
      this.#latest = new Tally(this.#bins.count);
    }
    this.#latest.add(value, this.#bins.of(value));
  }

  /** Values that the baseline still lacks. */
  get missing(): number {
    return this.#bins === undefined ? this.#windows.baseline - this.#first.length : 0;
  }

  get score(): number | undefined {
    const current = this.#current();
    if (this.#baseline === undefined || current === undefined || current.count < this.#windows.minimum)
      return undefined;
    return stabilityIndex(this.#baseline, current);
  }

  report(): FeatureReport {
    const { score } = this;
    const current = this.#current();
    const isNumber = this.#about.kind === 'number';
    return {
      ...this.#about,
      ...(score === undefined ? {} : { score }),
      ...(this.#baseline === undefined ? {} : { baseline: this.#baseline.report(isNumber) }),
      ...(current === undefined || current.count === 0 ? {} : { current: current.report(isNumber) }),
    };
  }

  #fix(): void {
    this.#bins = this.#about.kind === 'category' ? categoryBins(this.#categories) : quantileBins(this.#first);
    this.#baseline = new Tally(this.#bins.count);
    for (const value of this.#first) this.#baseline.add(value, this.#bins.of(value));
    this.#latest = new Tally(this.#bins.count);
    // Kept no longer than needed: they are of the clients.
    this.#first = [];
  }

  #current(): Tally | undefined {
    if (this.#latest === undefined) return undefined;
    return this.#previous === undefined ? this.#latest : this.#previous.with(this.#latest);
  }
}

/**
 * `Σ (q − p) · ln(q / p)` over bins, `p` the baseline's shares and `q` the present ones, each with half a count more so that none is zero;
 * less `(k − 1) · (1/n + 1/m)`, what `k` bins give by chance from `n` and `m` values. Below 0.1 nothing has changed, above 0.25 it has.
 *
 * @see Yurdakul, "Statistical Properties of Population Stability Index" (2018), for its distribution where nothing has changed.
 */
function stabilityIndex(baseline: Tally, current: Tally): number {
  const shareOf = ({ counts, count }: Tally, bin: number): number =>
    ((counts[bin] as number) + 0.5) / (count + 0.5 * counts.length);
  let sum = 0;
  let filled = 0;
  for (let bin = 0; bin < baseline.counts.length; bin++) {
    const p = shareOf(baseline, bin);
    const q = shareOf(current, bin);
    sum += (q - p) * Math.log(q / p);
    if ((baseline.counts[bin] as number) + (current.counts[bin] as number) > 0) filled++;
  }
  return Math.max(0, sum - (filled - 1) * (1 / baseline.count + 1 / current.count));
}

interface Bins {
  readonly count: number;
  of(value: number): number;
}

function categoryBins(count: number): Bins {
  return { count, of: (category) => category };
}

/** Not finite, below, equal parts, above. */
function quantileBins(values: readonly number[]): Bins {
  const sorted = Float64Array.from(values.filter(Number.isFinite)).sort();
  const least = sorted[0] ?? 0;
  const most = sorted.at(-1) ?? 0;
  const edges = new Set<number>();
  for (let part = 1; part < quantiles; part++) edges.add(sorted[Math.floor((part * sorted.length) / quantiles)] ?? 0);
  const inner = [...edges];
  return {
    count: inner.length + 4,
    of(value) {
      if (!Number.isFinite(value)) return 0;
      if (value < least) return 1;
      if (value > most) return inner.length + 3;
      let bin = 2;
      while (bin - 2 < inner.length && value >= (inner[bin - 2] as number)) bin++;
      return bin;
    },
  };
}

/** Counts by bin, and what is needed for mean and deviation. */
class Tally {
  readonly counts: Float64Array;
  count = 0;
  #finite = 0;
  #mean = 0;
  #squares = 0;

  constructor(bins: number) {
    this.counts = new Float64Array(bins);
  }

  add(value: number, bin: number): void {
    this.count++;
    this.counts[bin] = (this.counts[bin] as number) + 1;
    if (!Number.isFinite(value)) return;
    // Welford: sums of squares would lose the digits of large values.
    this.#finite++;
    const delta = value - this.#mean;
    this.#mean += delta / this.#finite;
    this.#squares += delta * (value - this.#mean);
  }

  with(other: Tally): Tally {
    const both = new Tally(this.counts.length);
    both.count = this.count + other.count;
    for (let bin = 0; bin < both.counts.length; bin++) {
      both.counts[bin] = (this.counts[bin] as number) + (other.counts[bin] as number);
    }
    both.#finite = this.#finite + other.#finite;
    if (both.#finite === 0) return both;
    const delta = other.#mean - this.#mean;
    both.#mean = this.#mean + (delta * other.#finite) / both.#finite;
    both.#squares = this.#squares + other.#squares + (delta * delta * this.#finite * other.#finite) / both.#finite;
    return both;
  }

  report(isNumber: boolean): DistributionReport {
    if (!isNumber) return { count: this.count };
    const { counts, count } = this;
    const outside = (counts[1] as number) + (counts.at(-1) as number);
    return {
      count,
      ...(this.#finite === 0 ? {} : { mean: this.#mean, deviation: Math.sqrt(this.#squares / this.#finite) }),
      notFinite: (counts[0] as number) / count,
      outside: outside / count,
    };
  }
}
