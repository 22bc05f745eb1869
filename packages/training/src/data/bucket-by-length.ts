import { ModelwrightError, padSequences, Tensor } from '@modelwright/core';
import { Dataset } from './dataset.js';
import { mapTensors, type Sample, tensorsOf } from './sample.js';
import { skipping } from './source.js';
import { stack } from './streams.js';

/** Options of {@link bucketByLength}. */
export interface BucketOptions {
  /** Examples a batch: one number, or one for each bucket (short sequences can have larger batches). */
  readonly batchSize: number | readonly number[];
  /**
   * Lengths of the buckets, growing: an example goes to the first that holds it, and is filled up to that length. So there
   * are only so many shapes of batches, and a trainer compiles once for each. Default: none, and every batch is filled up
   * to its longest sequence.
   */
  readonly boundaries?: readonly number[];
  /**
   * What becomes of sequences longer than the last boundary: `keep` batches them on their own, filled up to the longest;
   * `cut` leaves their end out; `drop` leaves them out. Default `keep`.
   */
  readonly tooLong?: 'keep' | 'cut' | 'drop';
  /** Length of an example. Default: the first extent of its first input. */
  readonly lengthOf?: (sample: Sample) => number;
  /** Where sequences are filled up. Default `post`. */
  readonly padding?: 'pre' | 'post';
  /** What fills up, by place: `{ inputs: 0, targets: -1 }`, `{ 'inputs.words': 1 }`. Default 0. */
  readonly paddingValues?: { readonly [place: string]: number };
  /** Leave out the batches that are not full when the examples end. Default false. */
  readonly dropRemainder?: boolean;
}

/**
 * Batches of examples of similar length, so that little is filled up. In each example, the tensors whose first extent is the
 * example's length are sequences; the others are stacked as they are. Shuffle before, so that batches differ between epochs.
 *
 * @param examples - Not batched; sequences `[time, …]` of any length.
 * @throws {@link ModelwrightError} `invalid-argument` for batched data, boundaries that do not grow, or batch sizes that do
 *   not match them.
 * @see `tf.data.Dataset.bucket_by_sequence_length`.
 * @example
 * bucketByLength(sentences.shuffle(), { batchSize: 32, boundaries: [16, 32, 64], tooLong: 'cut' });
 */
export function bucketByLength(examples: Dataset, options: BucketOptions): Dataset {
  if (examples.batched) {
    throw new ModelwrightError(
      'invalid-argument',
      'bucketByLength: the data set is batched already; call unbatch() first',
    );
  }
  const buckets = bucketsOf(options);
  return new Dataset({
    cardinality: undefined,
    batched: true,
    open: ({ epoch, skip }) => skipping(bucketStream(examples.epoch({ epoch }), buckets, options), skip),
  });
}

interface Bucket {
  /** The longest sequence it takes; none for the one behind the last boundary. */
  readonly length: number | undefined;
  readonly batchSize: number;
}

function bucketsOf({ boundaries = [], batchSize, tooLong = 'keep' }: BucketOptions): readonly Bucket[] {
  const lengths: (number | undefined)[] = [...boundaries];
  if (tooLong === 'keep' || boundaries.length === 0) lengths.push(undefined);
  if (boundaries.some((length, index) => !(length > (boundaries[index - 1] ?? 0)))) {
    throw new ModelwrightError('invalid-argument', `bucketByLength: boundaries [${boundaries}] do not grow`, {
      given: boundaries,
    });
  }
  const sizes = typeof batchSize === 'number' ? lengths.map(() => batchSize) : batchSize;
  if (sizes.length !== lengths.length || !sizes.every((size) => Number.isInteger(size) && size >= 1)) {
    throw new ModelwrightError(
      'invalid-argument',
      `bucketByLength: batch sizes [${sizes}] are not integers ≥ 1, one for each of ${lengths.length} buckets`,
      { given: sizes, allowed: lengths.length },
    );
  }
  return lengths.map((length, index) => ({ length, batchSize: sizes[index] as number }));
}

async function* bucketStream(
  examples: AsyncIterable<Sample>,
  buckets: readonly Bucket[],
  options: BucketOptions,
): AsyncGenerator<Sample> {
  const { lengthOf = firstExtent, tooLong, dropRemainder = false } = options;
  const waiting = buckets.map((): Sample[] => []);
  for await (const example of examples) {
    const length = lengthOf(example);
    const found = buckets.findIndex((bucket) => length <= (bucket.length ?? Number.POSITIVE_INFINITY));
    if (found < 0 && tooLong === 'drop') continue;
    const index = found < 0 ? buckets.length - 1 : found;
    const group = waiting[index] as Sample[];
    const { batchSize } = buckets[index] as Bucket;
    if (group.push(example) < batchSize) continue;
    yield paddedBatch(group, buckets[index]?.length, options);
    waiting[index] = [];
  }
  if (dropRemainder) return;
  for (const [index, group] of waiting.entries()) {
    if (group.length > 0) yield paddedBatch(group, buckets[index]?.length, options);
  }
}

function firstExtent(sample: Sample): number {
  const first = tensorsOf(sample)[0]?.tensor.shape[0];
  if (first !== undefined) return first;
  throw new ModelwrightError('invalid-data', 'bucketByLength: the first input of an example has no axis of time');
}

function paddedBatch(group: readonly Sample[], bucketLength: number | undefined, options: BucketOptions): Sample {
  const { lengthOf = firstExtent, padding = 'post', paddingValues = {} } = options;
  const lengths = group.map(lengthOf);
  const length = bucketLength ?? Math.max(...lengths);
  const fields = group.map((sample) => new Map(tensorsOf(sample).map(({ place, tensor }) => [place, tensor])));
  const isSequence = (place: string): boolean =>
    fields.every((each, index) => each.get(place)?.shape[0] === lengths[index]);
  const valueAt = (place: string): number => paddingValues[place] ?? paddingValues[place.split('.')[0] as string] ?? 0;
  const padded = group.map((sample) =>
    mapTensors(sample, (tensor, place) => {
      if (!isSequence(place)) return tensor;
      const row = padSequences([tensor], { length, padding, truncating: 'post', value: valueAt(place) });
      return new Tensor(row.dtype, row.shape.slice(1), row.data);
    }),
  );
  return stack(padded);
}
