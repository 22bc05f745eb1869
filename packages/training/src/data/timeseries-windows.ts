import { allocateData, ModelwrightError, Tensor } from '@modelwright/core';
import { type ArrayData, toTensor } from './array-data.js';
import { Dataset } from './dataset.js';
import type { Rows } from './rows.js';
import type { Sample } from './sample.js';
import { stack } from './streams.js';

/** Options of {@link timeseriesWindows}. */
export interface TimeseriesOptions {
  /** `[time, …features]`, in order of time. */
  readonly data: ArrayData;
  /**
   * `[time, …]`: the target of the window that starts at each index, so that a forecast of the next value passes the series
   * shifted by the length of the window. Without it windows have no targets.
   */
  readonly targets?: ArrayData;
  /** Steps of a window. */
  readonly sequenceLength: number;
  /** Steps from the start of one window to that of the next. Default 1. */
  readonly sequenceStride?: number;
  /** Steps from one element of a window to its next. Default 1. */
  readonly samplingRate?: number;
  /** The first step used. Default 0. */
  readonly startIndex?: number;
  /** The step after the last one used. Default: the end. */
  readonly endIndex?: number;
}

/**
 * Windows that slide over a series, as Keras's `timeseries_dataset_from_array` cuts them. A window is copied when it is read,
 * so that overlapping ones take no memory; `shuffle`, `batch` and `split` work as on arrays.
 *
 * @returns examples `[sequenceLength, …features]` with, if given, their targets.
 * @throws {@link ModelwrightError} `invalid-argument` when a count is not an integer ≥ 1 or the series is shorter than a
 *   window.
 * @example
 * // The next temperature from the last 24.
 * timeseriesWindows({ data: series, targets: series.slice(24), sequenceLength: 24 }).shuffle().batch(32);
 */
export function timeseriesWindows(options: TimeseriesOptions): Dataset {
  const { sequenceLength, sequenceStride = 1, samplingRate = 1 } = options;
  requireCounts({ sequenceLength, sequenceStride, samplingRate });
  const data = toTensor(options.data, 'data');
  const targets = options.targets === undefined ? undefined : toTensor(options.targets, 'targets');
  const steps = data.shape[0] ?? 0;
  const start = options.startIndex ?? 0;
  const end = Math.min(options.endIndex ?? steps, steps);
  const span = (sequenceLength - 1) * samplingRate + 1;
  const lastStart = Math.min(end - span, targets === undefined ? end : (targets.shape[0] as number) - 1);
  const count = Math.floor((lastStart - start) / sequenceStride) + 1;
  if (!(count >= 1)) {
    throw new ModelwrightError(
      'invalid-argument',
      `timeseriesWindows: steps ${start} to ${end} of ${steps} have no room for a window that spans ${span} steps`,
      { given: end - start, allowed: span },
    );
  }
  const firstOf = (window: number): number => start + window * sequenceStride;
  return Dataset.ofRows(
    windowRows(count, (window) => ({
      inputs: cut(data, { first: firstOf(window), count: sequenceLength, every: samplingRate }),
      ...(targets === undefined ? {} : { targets: at(targets, firstOf(window)) }),
    })),
  );
}

function windowRows(count: number, row: (index: number) => Sample): Rows {
  return { count, row, gather: (indices) => stack(Array.from(indices, row)) };
}

interface Cut {
  readonly first: number;
  readonly count: number;
  readonly every: number;
}

/** `count` steps from `first` on, each `every` after the one before. */
function cut(series: Tensor, { first, count, every }: Cut): Tensor {
  const features = series.shape.slice(1);
  const size = features.reduce((product, extent) => product * extent, 1);
  const data = allocateData(series.dtype, count * size) as unknown as Float32Array;
  const source = series.data as Float32Array;
  for (let step = 0; step < count; step++) {
    const from = (first + step * every) * size;
    for (let index = 0; index < size; index++) data[step * size + index] = source[from + index] as number;
  }
  return new Tensor(series.dtype, [count, ...features], data as never);
}

function at(series: Tensor, index: number): Tensor {
  const step = cut(series, { first: index, count: 1, every: 1 });
  return new Tensor(step.dtype, step.shape.slice(1), step.data);
}

function requireCounts(counts: { readonly [name: string]: number }): void {
  for (const [name, count] of Object.entries(counts)) {
    if (Number.isInteger(count) && count >= 1) continue;
    throw new ModelwrightError(
      'invalid-argument',
      `timeseriesWindows: ${name} is ${count}; an integer ≥ 1 is expected`,
      {
        given: count,
      },
    );
  }
}
