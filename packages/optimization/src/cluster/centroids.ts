/** Where the centroids of a weight begin. */
export type CentroidInitialization = 'linear' | 'density' | 'kmeans++' | 'random';

export interface CentroidOptions {
  /** How many, at most. */
  readonly clusters: number;
  readonly initialization: CentroidInitialization;
  /** Rounds of k-means after the beginning: each centroid goes to the mean of the numbers next to it. */
  readonly iterations: number;
  /** Of `kmeans++` and `random`. */
  readonly seed: number;
}

/**
 * Centroids of numbers, in ascending order; those that no number is next to are left out.
 *
 * `linear` spreads them evenly between smallest and largest, `density` by quantiles, `random` evenly at random, `kmeans++` picks numbers
 * with a chance in proportion to their squared distance from those picked before.
 *
 * @see Han, Mao and Dally, Deep Compression, arXiv:1510.00149, §3.2; Arthur and Vassilvitskii, k-means++, 2007.
 */
export function findCentroids(numbers: Float64Array, options: CentroidOptions): Float64Array {
  const sorted = Float64Array.from(numbers).sort();
  const sums = runningSums(sorted);
  let centroids = initialCentroids(sorted, options).sort();
  for (let round = 0; round < options.iterations; round++) {
    const next = meansOfNearest(sorted, sums, centroids);
    if (next.length === centroids.length && next.every((value, at) => value === centroids[at])) break;
    centroids = next;
  }
  return options.iterations > 0 ? centroids : withMembers(sorted, centroids);
}

/** For each number the place of the centroid next to it. */
export function assignToNearest(numbers: Float64Array, centroids: Float64Array): Int32Array {
  const borders = midpoints(centroids);
  return Int32Array.from(numbers, (value) => firstAtLeast(borders, value));
}

function initialCentroids(sorted: Float64Array, { clusters, initialization, seed }: CentroidOptions): Float64Array {
  const [low, high] = [sorted[0] ?? 0, sorted[sorted.length - 1] ?? 0];
  const spread = (share: number): number => low + (high - low) * share;
  const last = Math.max(1, clusters - 1);
  switch (initialization) {
    case 'linear':
      return Float64Array.from({ length: clusters }, (_, at) => spread(at / last));
    case 'density':
      return Float64Array.from(
        { length: clusters },
        (_, at) => sorted[Math.floor(((at + 0.5) / clusters) * sorted.length)] ?? 0,
      );
    case 'random': {
      const random = randomNumbers(seed);
      return Float64Array.from({ length: clusters }, () => spread(random()));
    }
    case 'kmeans++':
      return pickFarApart(sorted, clusters, randomNumbers(seed));
  }
}

function pickFarApart(sorted: Float64Array, clusters: number, random: () => number): Float64Array {
  const picked = [sorted[Math.floor(random() * sorted.length)] ?? 0];
  const distances = Float64Array.from(sorted, (value) => (value - (picked[0] as number)) ** 2);
  while (picked.length < clusters) {
    const total = distances.reduce((sum, each) => sum + each, 0);
    if (total === 0) break;
    let rest = random() * total;
    let at = 0;
    while (at < sorted.length - 1 && rest >= (distances[at] as number)) rest -= distances[at++] as number;
    const chosen = sorted[at] as number;
    picked.push(chosen);
    for (let i = 0; i < sorted.length; i++)
      distances[i] = Math.min(distances[i] as number, ((sorted[i] as number) - chosen) ** 2);
  }
  return Float64Array.from(picked);
}

function runningSums(sorted: Float64Array): Float64Array {
  const sums = new Float64Array(sorted.length + 1);
  for (let at = 0; at < sorted.length; at++) sums[at + 1] = (sums[at] as number) + (sorted[at] as number);
  return sums;
}

function meansOfNearest(sorted: Float64Array, sums: Float64Array, centroids: Float64Array): Float64Array {
  return Float64Array.from(
    rangesOf(sorted, centroids).map(([from, to]) => ((sums[to] as number) - (sums[from] as number)) / (to - from)),
  );
}

function withMembers(sorted: Float64Array, centroids: Float64Array): Float64Array {
  const unique = Float64Array.from(new Set(centroids));
  const counts = new Uint32Array(unique.length);
  for (const cluster of assignToNearest(sorted, unique)) counts[cluster] = (counts[cluster] as number) + 1;
  return unique.filter((_, at) => (counts[at] as number) > 0);
}

/** The stretches of sorted numbers next to each centroid, empty ones left out. */
function rangesOf(sorted: Float64Array, centroids: Float64Array): readonly (readonly [from: number, to: number])[] {
  const ends = [...midpoints(centroids)].map((border) => firstAbove(sorted, border));
  return [...ends, sorted.length]
    .map((to, at): readonly [number, number] => [at === 0 ? 0 : (ends[at - 1] as number), to])
    .filter(([from, to]) => to > from);
}

function midpoints(centroids: Float64Array): Float64Array {
  return Float64Array.from(
    { length: Math.max(0, centroids.length - 1) },
    (_, at) => ((centroids[at] as number) + (centroids[at + 1] as number)) / 2,
  );
}

const firstAtLeast = (sorted: Float64Array, value: number): number => search(sorted, (each) => each >= value);
const firstAbove = (sorted: Float64Array, value: number): number => search(sorted, (each) => each > value);

function search(sorted: Float64Array, isReached: (value: number) => boolean): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isReached(sorted[middle] as number)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Numbers in [0, 1) that a seed decides (mulberry32). */
function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
