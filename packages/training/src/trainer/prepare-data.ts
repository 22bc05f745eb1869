import { ModelwrightError } from '@modelwright/core';
import { type ClassWeights, Dataset, fromArrays, type SampleLike, toSample, weightByClass } from '../data/index.js';

/** A data set, or arrays: `{ x, y }`, `[x, y]`, … */
export type DataLike = Dataset | SampleLike;

/** How examples become batches. */
export interface BatchingOptions {
  /** Examples a batch, default 32. Data that is batched already stays as it is. */
  readonly batchSize?: number | undefined;
  /** Visit examples in a new random order each epoch (through a buffer, where data is a stream). Default true. */
  readonly shuffle?: boolean | undefined;
  readonly seed?: number | undefined;
  /** Use only this many batches of each pass. */
  readonly steps?: number | undefined;
  readonly classWeight?: ClassWeights | undefined;
}

/** `data` as a data set. */
export function toDataset(data: DataLike): Dataset {
  if (data instanceof Dataset) return data;
  const { inputs, targets, sampleWeights } = toSample(data);
  return fromArrays({
    x: inputs,
    ...(targets === undefined ? {} : { y: targets }),
    ...(sampleWeights === undefined ? {} : { sampleWeight: sampleWeights }),
  });
}

/** `data` in batches, as training or evaluation reads it. */
export function toBatches(data: Dataset, options: BatchingOptions): Dataset {
  const { batchSize, shuffle = false, seed = 0, steps, classWeight } = options;
  if (data.batched && batchSize !== undefined) {
    throw new ModelwrightError(
      'invalid-argument',
      `the data set is batched already; leave batchSize (${batchSize}) out, or call unbatch() first`,
      { given: batchSize },
    );
  }
  const ordered = shuffle && !data.batched ? data.shuffle({ seed }) : data;
  const batches = ordered.batched ? ordered : ordered.batch(batchSize ?? 32);
  const weighted = classWeight === undefined ? batches : batches.map((batch) => weightByClass(batch, classWeight));
  return steps === undefined ? weighted : weighted.take(steps);
}
