import { growthOf } from './trend.js';

/** What is held after a window of runs, everything unreachable collected. */
export interface Sample {
  /** Of the process, or of the processes of a page. */
  readonly residentBytes?: number | undefined;
  /** Of JavaScript, array buffers included. */
  readonly heapBytes: number;
  /** That a backend on TensorFlow.js counts. */
  readonly tensors?: number | undefined;
}

/** What the windows of one backend gave, or why it cannot run here. */
export interface Measured {
  readonly samples?: readonly Sample[];
  readonly missing?: string;
}

/** By how much each grew over all windows. */
export interface Growth {
  readonly residentBytes: number | undefined;
  readonly heapBytes: number;
  readonly tensors: number | undefined;
}

/** Far less than a tensor, or an object of JavaScript, left behind by every run would come to. */
export const allowed = { residentBytes: 8 * 2 ** 20, heapBytes: 512 * 2 ** 10, tensors: 0 } as const;

/** The growth of a series of samples. */
export function growthOfSamples(samples: readonly Sample[]): Growth {
  const all = (key: keyof Sample): number | undefined => {
    const series = samples.map((sample) => sample[key]);
    return series.every((value) => value !== undefined) ? growthOf(series) : undefined;
  };
  return {
    residentBytes: all('residentBytes'),
    heapBytes: growthOf(samples.map(({ heapBytes }) => heapBytes)),
    tensors: all('tensors'),
  };
}

/** Whether memory stayed flat. */
export function isFlat(growth: Growth): boolean {
  return (
    (growth.residentBytes ?? 0) <= allowed.residentBytes &&
    growth.heapBytes <= allowed.heapBytes &&
    (growth.tensors ?? 0) <= allowed.tensors
  );
}
