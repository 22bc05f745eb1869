import { ModelwrightError } from '@modelwright/core';
import { batchSource, inOrder, rowSource, shuffled, sliced } from './row-order.js';
import type { Rows } from './rows.js';
import type { Sample } from './sample.js';
import { concatenateStreams, type DatasetSource, repeatStream, skipping } from './source.js';
import {
  batchStream,
  filterStream,
  mapStream,
  prefetchStream,
  shuffleStream,
  takeStream,
  unbatchStream,
} from './streams.js';

/** Which pass over the data is wanted, and from where. */
export interface EpochOptions {
  /** Passes are numbered from 0; shuffles draw a new order for each. Default 0. */
  readonly epoch?: number;
  /** Elements to leave out at the front, as when training resumes in the middle of an epoch. Default 0. */
  readonly skip?: number;
  /**
   * Allows the memory of a batch to be used again once this many further ones have been read: for consumers that are done
   * with a batch by then. Default: every batch is the reader's for good.
   */
  readonly recycleAfter?: number;
}

export interface ShuffleOptions {
  /** Default 0. Order depends on seed and epoch alone. */
  readonly seed?: number;
  /** How many elements of a stream are held to draw from; array data ignores it and shuffles as a whole. Default 1024. */
  readonly bufferSize?: number;
  /** A new order for each epoch. Default true. */
  readonly reshuffleEachEpoch?: boolean;
}

/**
 * A lazy sequence of examples or batches, read as a stream: nothing is held in memory beyond what is being worked on.
 * Methods give new data sets and leave this one as it was. The same epoch always gives the same elements in the same
 * order, so training can resume anywhere.
 *
 * @example
 * const data = fromArrays({ x: images, y: labels }).shuffle({ seed: 1 }).batch(64);
 * for await (const { inputs, targets } of data) …
 */
export class Dataset implements AsyncIterable<Sample> {
  readonly #source: DatasetSource;

  constructor(source: DatasetSource) {
    this.#source = source;
  }

  /** Data over rows that can be fetched at random. */
  static ofRows(rows: Rows): Dataset {
    return new Dataset(rowSource(inOrder(rows)));
  }

  /** Number of elements of one pass (examples, or batches once batched); undefined when it cannot be known. */
  get cardinality(): number | undefined {
    return this.#source.cardinality;
  }

  /** Whether elements are batches. */
  get batched(): boolean {
    return this.#source.batched;
  }

  /**
   * One pass over the data.
   *
   * @throws {@link ModelwrightError} `invalid-data` if the whole pass is empty.
   */
  async *epoch(options: EpochOptions = {}): AsyncGenerator<Sample, void, undefined> {
    const { epoch = 0, skip = 0, recycleAfter } = options;
    let empty = true;
    for await (const sample of this.#source.open({ epoch, skip, recycleAfter })) {
      empty = false;
      yield sample;
    }
    if (empty && skip === 0)
      throw new ModelwrightError('invalid-data', 'the data set is empty: it gave no examples', { given: 0 });
  }

  /** The first pass; an empty data set gives nothing. */
  [Symbol.asyncIterator](): AsyncIterator<Sample> {
    return this.#source.open({ epoch: 0, skip: 0 })[Symbol.asyncIterator]();
  }

  /**
   * Groups examples into batches, stacked along a new first axis.
   *
   * @param size - Examples a batch, ≥ 1.
   * @param options.dropRemainder - Leave out a short last batch. Default false.
   * @throws {@link ModelwrightError} `invalid-argument` when batched already; examples of different shapes give
   *   `invalid-data` when the batch is read.
   */
  batch(size: number, { dropRemainder = false }: { readonly dropRemainder?: boolean } = {}): Dataset {
    requireCount('batch size', size, 1);
    if (this.batched)
      throw new ModelwrightError('invalid-argument', 'the data set is batched already; call unbatch() first');
    const { cardinality, selection } = this.#source;
    const count =
      cardinality === undefined
        ? undefined
        : dropRemainder
          ? Math.floor(cardinality / size)
          : Math.ceil(cardinality / size);
    if (selection !== undefined) return new Dataset(batchSource(selection, { size, count: count as number }));
    return this.#derive({
      cardinality: count,
      batched: true,
      open: ({ epoch, skip }) => batchStream(this.#source.open({ epoch, skip: skip * size }), { size, dropRemainder }),
    });
  }

  /** Takes batches apart into examples. */
  unbatch(): Dataset {
    if (!this.batched) return this;
    return this.#derive({
      cardinality: undefined,
      batched: false,
      open: ({ epoch, skip }) => skipping(unbatchStream(this.#source.open({ epoch, skip: 0 })), skip),
    });
  }

  /** Elements in a random order: array data as a whole, streams through a buffer. */
  shuffle({ seed = 0, bufferSize = 1024, reshuffleEachEpoch = true }: ShuffleOptions = {}): Dataset {
    const { selection } = this.#source;
    const seedsOf = (epoch: number): readonly number[] => (reshuffleEachEpoch ? [seed, epoch] : [seed]);
    if (selection !== undefined) {
      return new Dataset(rowSource(shuffled(selection, seedsOf)));
    }
    requireCount('bufferSize', bufferSize, 1);
    return this.#derive({
      open: ({ epoch, skip }) =>
        skipping(shuffleStream(this.#source.open({ epoch, skip: 0 }), { bufferSize, seeds: seedsOf(epoch) }), skip),
    });
  }

  /** Replaces each element (example or batch); `map` may be asynchronous. */
  map(map: (sample: Sample) => Sample | Promise<Sample>): Dataset {
    return this.#derive({ open: (options) => mapStream(this.#source.open(options), map) });
  }

  /** Keeps the elements that `keep` accepts. */
  filter(keep: (sample: Sample) => boolean): Dataset {
    return this.#derive({
      cardinality: undefined,
      open: ({ epoch, skip }) => skipping(filterStream(this.#source.open({ epoch, skip: 0 }), keep), skip),
    });
  }

  /** `count` passes in a row as one; endless by default. */
  repeat(count: number = Number.POSITIVE_INFINITY): Dataset {
    if (count !== Number.POSITIVE_INFINITY) requireCount('repeat count', count, 0);
    const source = this.#source;
    return this.#derive({
      cardinality: source.cardinality === undefined ? undefined : count === 0 ? 0 : source.cardinality * count,
      open: ({ epoch, skip }) => repeatStream(source, { epoch, skip, count }),
    });
  }

  /** The first `count` elements. */
  take(count: number): Dataset {
    requireCount('take count', count, 0);
    const { selection, cardinality } = this.#source;
    if (selection !== undefined) return new Dataset(rowSource(sliced(selection, 0, count)));
    return this.#derive({
      cardinality: cardinality === undefined ? undefined : Math.min(cardinality, count),
      open: ({ epoch, skip }) => takeStream(this.#source.open({ epoch, skip }), count - skip),
    });
  }

  /** All but the first `count` elements. */
  skip(count: number): Dataset {
    requireCount('skip count', count, 0);
    const { selection, cardinality } = this.#source;
    if (selection !== undefined) return new Dataset(rowSource(sliced(selection, count)));
    return this.#derive({
      cardinality: cardinality === undefined ? undefined : Math.max(0, cardinality - count),
      open: ({ epoch, skip }) => this.#source.open({ epoch, skip: skip + count }),
    });
  }

  /** The elements of this data set, then those of `other`. */
  concatenate(other: Dataset): Dataset {
    if (this.batched !== other.batched) {
      throw new ModelwrightError(
        'invalid-argument',
        'a data set of batches and one of examples cannot be concatenated',
      );
    }
    const [first, second] = [this.#source, other.#source];
    return this.#derive({
      cardinality:
        first.cardinality === undefined || second.cardinality === undefined
          ? undefined
          : first.cardinality + second.cardinality,
      open: ({ epoch, skip }) => concatenateStreams([first, second], { epoch, skip }),
    });
  }

  /** Has up to `count` elements produced ahead while the consumer works; pays with slow sources or `map`s. */
  prefetch(count = 2): Dataset {
    requireCount('prefetch count', count, 1);
    return this.#derive({ open: (options) => prefetchStream(this.#source.open(options), count) });
  }

  /**
   * Cuts off the last part for validation, as Keras does (before any shuffling you do afterwards).
   *
   * @param fraction - Share of elements in the second part, in (0, 1).
   * @returns `[training, validation]`, both with at least one element.
   * @throws {@link ModelwrightError} `invalid-argument` when the number of elements is not known or too small.
   */
  split(fraction: number): readonly [training: Dataset, validation: Dataset] {
    const { cardinality } = this.#source;
    if (cardinality === undefined || !Number.isFinite(cardinality)) {
      throw new ModelwrightError(
        'invalid-argument',
        'only a data set whose number of elements is known can be split; give a separate validation set',
      );
    }
    if (!(fraction > 0 && fraction < 1)) {
      throw new ModelwrightError('invalid-argument', `a validation split lies between 0 and 1, ${fraction} was given`, {
        given: fraction,
      });
    }
    const trainingCount = Math.floor(cardinality * (1 - fraction));
    if (trainingCount === 0 || trainingCount === cardinality) {
      throw new ModelwrightError(
        'invalid-argument',
        `${cardinality} elements cannot be split by ${fraction}: one part would be empty`,
        {
          given: cardinality,
        },
      );
    }
    return [this.take(trainingCount), this.skip(trainingCount)];
  }

  /** All elements of one pass in an array; for small data. */
  async toArray(options: EpochOptions = {}): Promise<Sample[]> {
    const all: Sample[] = [];
    for await (const sample of this.#source.open({ epoch: options.epoch ?? 0, skip: options.skip ?? 0 }))
      all.push(sample);
    return all;
  }

  #derive(change: Partial<DatasetSource> & Pick<DatasetSource, 'open'>): Dataset {
    return new Dataset({ cardinality: this.#source.cardinality, batched: this.#source.batched, ...change });
  }
}

function requireCount(what: string, count: number, least: number): void {
  if (Number.isInteger(count) && count >= least) return;
  throw new ModelwrightError('invalid-argument', `${what} is ${count}; an integer ≥ ${least} is expected`, {
    given: count,
    allowed: least,
  });
}
