import { performance } from 'node:perf_hooks';

/** How long runs took. */
export interface Measurement {
  readonly runCount: number;
  readonly minimumMilliseconds: number;
  readonly medianMilliseconds: number;
  readonly p95Milliseconds: number;
  readonly maximumMilliseconds: number;
  readonly runsPerSecond: number;
}

const minimumRuns = 5;

/**
 * Measures a task: a warm-up of a tenth of the time, then runs for `seconds`, and at least five.
 *
 * @param options.concurrency - How many runs are under way at a time.
 */
export async function measure(
  task: () => Promise<unknown>,
  { seconds, concurrency }: { readonly seconds: number; readonly concurrency: number },
): Promise<Measurement> {
  await repeat(task, { milliseconds: Math.min(1000, seconds * 100), concurrency, runs: 2 });
  const started = performance.now();
  const durations = await repeat(task, { milliseconds: seconds * 1000, concurrency, runs: minimumRuns });
  return summarize(durations, performance.now() - started);
}

/** Runs a task until both the time and the count are reached; returns how long each took. */
async function repeat(
  task: () => Promise<unknown>,
  { milliseconds, concurrency, runs }: { milliseconds: number; concurrency: number; runs: number },
): Promise<number[]> {
  const durations: number[] = [];
  const end = performance.now() + milliseconds;
  const worker = async (): Promise<void> => {
    while (performance.now() < end || durations.length < runs) {
      const started = performance.now();
      await task();
      durations.push(performance.now() - started);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  return durations;
}

/** The numbers of a series of runs that took `totalMilliseconds` together. */
export function summarize(durations: readonly number[], totalMilliseconds: number): Measurement {
  const sorted = [...durations].sort((a, b) => a - b);
  const quantile = (q: number): number => sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1)] ?? 0;
  return {
    runCount: sorted.length,
    minimumMilliseconds: sorted[0] ?? 0,
    medianMilliseconds: quantile(0.5),
    p95Milliseconds: quantile(0.95),
    maximumMilliseconds: sorted.at(-1) ?? 0,
    runsPerSecond: (sorted.length / totalMilliseconds) * 1000,
  };
}
