/** What a peer prints as its last line: the duration of each step or run. */
export interface Measurement {
  readonly milliseconds: readonly number[];
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
  for (let index = 0; index < Math.max(3, count / 5); index++) await run();
  const milliseconds: number[] = [];
  for (let index = 0; index < count; index++) {
    const start = performance.now();
    await run();
    milliseconds.push(performance.now() - start);
  }
  return milliseconds;
}

/** The value below which `share` of the values lie; 0.5 is the median. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
