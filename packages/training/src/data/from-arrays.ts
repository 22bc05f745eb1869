import { Dataset } from './dataset.js';
import { createRows } from './rows.js';
import type { FieldLike } from './sample.js';
import { toSample } from './sample.js';

/** Columns of equal length; the first axis of each counts examples. */
export interface ArraysOptions {
  /** Inputs: nested arrays, a typed array, `{ data, shape }`, a tensor, or any of these by input name. */
  readonly x: FieldLike;
  /** Targets, likewise. */
  readonly y?: FieldLike;
  /** How much each example counts, `[examples]`, or by output name. */
  readonly sampleWeight?: FieldLike;
}

/**
 * A data set over arrays in memory. Any row can be fetched, so shuffling covers all of it and batching is a copy of rows.
 * Typed arrays and tensors are used where they lie: do not change them while the data set is in use.
 *
 * @param arrays.x - `[examples, …]`, or by input name.
 * @param arrays.y - `[examples, …]`, or by output name.
 * @throws {@link ModelwrightError} `invalid-data` when there are no examples, `shape-mismatch` when lengths differ.
 * @example
 * fromArrays({ x: [[0, 0], [0, 1], [1, 0], [1, 1]], y: [0, 1, 1, 0] }).batch(2);
 */
export function fromArrays({ x, y, sampleWeight }: ArraysOptions): Dataset {
  return Dataset.ofRows(createRows(toSample({ inputs: x, targets: y, sampleWeights: sampleWeight })));
}
