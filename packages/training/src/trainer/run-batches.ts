import type { TensorMap } from '@modelwright/core';
import type { Compiled } from './program-cache.js';

/** A batch and the program it is for. */
export interface PreparedBatch {
  readonly compiled: Compiled;
  readonly feeds: TensorMap;
  readonly examples: number;
}

/** Runs batches in order; neighbours of one program go to the backend in one call. */
export async function runBatches(batches: readonly PreparedBatch[]): Promise<readonly TensorMap[]> {
  const results: TensorMap[] = [];
  while (results.length < batches.length) {
    const { executable } = (batches[results.length] as PreparedBatch).compiled;
    const rest = batches.slice(results.length);
    const end = rest.findIndex(({ compiled }) => compiled.executable !== executable);
    const feeds = (end === -1 ? rest : rest.slice(0, end)).map((batch) => batch.feeds);
    if (feeds.length === 1) results.push(await executable.run(feeds[0] as TensorMap));
    else results.push(...(await executable.runMany(feeds)));
  }
  return results;
}
