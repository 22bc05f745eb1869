/** What a peer prints as its last line: the duration of each step or run. */
export interface Measurement {
  readonly milliseconds: readonly number[];
  /** Processor time of a step or run, all threads together: what other programs do meanwhile hardly shows in it. */
  readonly processorMilliseconds?: number;
  /** Versions, settings. */
  readonly notes?: { readonly [name: string]: string | number };
}

/** What a peer is asked to do. */
export interface Request {
  readonly network: string;
  readonly mode: Mode;
  readonly steps: number;
}

export type Mode = 'train' | 'predict1' | 'predict64' | 'ticks';

/** The request on the command line of a peer. */
export function readRequest(): Request {
  const [network = 'mlp', mode = 'train', steps = '20'] = process.argv.slice(2);
  return { network, mode: mode as Mode, steps: Number(steps) };
}

/** Hands the measurement to the parent process. */
export function report(measurement: Measurement): void {
  process.stdout.write(`\n${JSON.stringify(measurement)}\n`);
}

/** Durations of `count` runs after some to warm up. */
export async function timeRuns(count: number, run: () => Promise<unknown> | unknown): Promise<readonly number[]> {
  return (await measureRuns(count, run)).milliseconds;
}

/** As {@link timeRuns}, with the processor time. */
export async function measureRuns(count: number, run: () => Promise<unknown> | unknown): Promise<Measurement> {
  for (let index = 0; index < Math.max(3, count / 5); index++) await run();
  const milliseconds: number[] = [];
  const stop = processorStopwatch();
  for (let index = 0; index < count; index++) {
    const start = performance.now();
    await run();
    milliseconds.push(performance.now() - start);
  }
  return { milliseconds, processorMilliseconds: stop(count) };
}

/** A stopwatch of the processor time that this process takes: milliseconds a run, of `count` runs since it was started. */
export function processorStopwatch(): (count: number) => number {
  const start = process.cpuUsage();
  return (count) => {
    const { user, system } = process.cpuUsage(start);
    return (user + system) / 1000 / count;
  };
}

/**
 * Training steps overlap: `fit` fetches batches ahead of the steps, now and then two at once. A step's time is therefore
 * the mean over as many in a row, for every peer alike: a median of single steps would leave out the slow ones.
 */
const stepsPerMean = 8;

/** What is compared of a peer's steps or runs: means over several steps of training, predictions one by one. */
export function comparedTimes(milliseconds: readonly number[], mode: Mode): readonly number[] {
  return mode === 'train' ? movingMeans(milliseconds, stepsPerMean) : milliseconds;
}

/** Means over each `count` values in a row: how long a step takes where runs overlap. */
export function movingMeans(values: readonly number[], count: number): readonly number[] {
  const width = Math.min(count, values.length);
  let sum = values.slice(0, width).reduce((total, value) => total + value, 0);
  const means = width === 0 ? [] : [sum / width];
  for (let index = width; index < values.length; index++) {
    sum += (values[index] as number) - (values[index - width] as number);
    means.push(sum / width);
  }
  return means;
}

/** The value below which `share` of the values lie; 0.5 is the median. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
