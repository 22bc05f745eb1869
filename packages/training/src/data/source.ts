import type { RowOrder } from './row-order.js';
import type { Sample } from './sample.js';
import { skipStream } from './streams.js';

/** What a data set is made of; see `Dataset`. */
export interface DatasetSource {
  /** Number of elements of one pass; `Infinity` for endless ones, undefined when it cannot be known. */
  readonly cardinality: number | undefined;
  /** Whether elements are batches. */
  readonly batched: boolean;
  /**
   * Opens a pass from its beginning, or from element `skip` on. Passes are independent of each other. With `recycleAfter`
   * the memory of an element may be used again once that many further ones have been given.
   */
  open(options: {
    readonly epoch: number;
    readonly skip: number;
    readonly recycleAfter?: number | undefined;
  }): AsyncIterable<Sample>;
  /** Present where any row can be fetched: the fast road of array data. */
  readonly selection?: RowOrder;
}

/** `count` passes in a row; pass `p` of epoch `e` is epoch `e·count + p` of the source. */
export async function* repeatStream(
  source: DatasetSource,
  { epoch, skip, count }: { epoch: number; skip: number; count: number },
): AsyncGenerator<Sample> {
  const first = Number.isFinite(count) ? epoch * count : 0;
  let remaining = skip;
  for (let pass = 0; pass < count; pass++) {
    if (source.cardinality !== undefined && remaining >= source.cardinality && source.cardinality > 0) {
      remaining -= source.cardinality;
      continue;
    }
    let empty = remaining === 0;
    for await (const sample of source.open({ epoch: first + pass, skip: 0 })) {
      empty = false;
      if (remaining > 0) remaining--;
      else yield sample;
    }
    // An empty source repeated without end would spin forever.
    if (empty) return;
  }
}

/** One source after the other. */
export async function* concatenateStreams(
  sources: readonly DatasetSource[],
  { epoch, skip }: { epoch: number; skip: number },
): AsyncGenerator<Sample> {
  let remaining = skip;
  for (const source of sources) {
    if (source.cardinality !== undefined && remaining >= source.cardinality) {
      remaining -= source.cardinality;
      continue;
    }
    for await (const sample of source.open({ epoch, skip: 0 })) {
      if (remaining > 0) remaining--;
      else yield sample;
    }
  }
}

/** `samples` without its first `count`. */
export function skipping(samples: AsyncIterable<Sample>, count: number): AsyncIterable<Sample> {
  return count === 0 ? samples : skipStream(samples, count);
}
