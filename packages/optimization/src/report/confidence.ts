/** A range that holds the true value with 95 % confidence. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** A measured quantity: the median of what was measured and where its true value lies. */
export interface Estimate extends Interval {
  readonly median: number;
  /** How many measurements it rests on. */
  readonly count: number;
}

/** Quantile of the normal distribution that leaves 2.5 % on each side. */
const z = 1.959964;

/**
 * The range of a share, `successes / count`, that is seen in `count` independent cases.
 *
 * `(p + z²/2n ± z·√(p(1 − p)/n + z²/4n²)) / (1 + z²/n)`
 *
 * @see Wilson, Probable inference, the law of succession, and statistical inference, 1927.
 */
export function shareInterval(share: number, count: number): Interval {
  const spread = z * Math.sqrt((share * (1 - share)) / count + z ** 2 / (4 * count ** 2));
  const middle = share + z ** 2 / (2 * count);
  const scale = 1 + z ** 2 / count;
  return { low: Math.max(0, (middle - spread) / scale), high: Math.min(1, (middle + spread) / scale) };
}

/**
 * The median of measurements, and its range by order statistics: how many of `n` values lie below the true median is
 * binomial, whatever their distribution. Fewer than six values span no range of 95 %: theirs is from the smallest to the
 * largest.
 */
export function estimateMedian(values: readonly number[]): Estimate {
  const sorted = [...values].sort((a, b) => a - b);
  const count = sorted.length;
  const rank = lowerRank(count);
  return {
    median: medianOfSorted(sorted),
    low: sorted[rank] ?? Number.NaN,
    high: sorted[count - 1 - rank] ?? Number.NaN,
    count,
  };
}

/** The middle value; of an even number the mean of both. */
export function medianOf(values: readonly number[]): number {
  return medianOfSorted([...values].sort((a, b) => a - b));
}

function medianOfSorted(sorted: readonly number[]): number {
  const half = sorted.length >> 1;
  const upper = sorted[half] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] ?? Number.NaN) + upper) / 2;
}

/** The largest `k` such that at most `k` of `n` fair coins show heads with a probability of 2.5 % or less. */
function lowerRank(count: number): number {
  if (count > 500) return Math.floor(count / 2 - (z * Math.sqrt(count)) / 2) - 1;
  let probability = 0.5 ** count;
  let total = 0;
  for (let heads = 0; heads < count; heads++) {
    total += probability;
    if (total > 0.025) return Math.max(0, heads - 1);
    probability *= (count - heads) / (heads + 1);
  }
  return 0;
}
