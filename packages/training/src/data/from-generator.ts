import { Dataset } from './dataset.js';
import { type Sample, type SampleLike, toSample } from './sample.js';
import { skipping } from './source.js';

export interface StreamOptions {
  /** Number of elements of one pass, where it is known; gives progress bars a goal. */
  readonly cardinality?: number;
  /** Whether each element is a batch already. Default false. */
  readonly batched?: boolean;
}

/**
 * A data set over a generator function, called anew for each pass: data may be larger than memory, or endless.
 *
 * @param generate - Gives the elements of a pass, as `[x, y]`, `{ x, y }` or `{ inputs, targets }`; may be asynchronous.
 *   It gets the number of the pass, so that random data can be the same each time that pass is read.
 * @throws {@link ModelwrightError} `invalid-data` while reading, for an element of another form.
 * @example
 * fromGenerator(function* () {
 *   for (let i = 0; i < 1000; i++) yield { x: [i / 1000], y: [Math.sin(i / 1000)] };
 * });
 */
export function fromGenerator(
  generate: (epoch: number) => Iterable<SampleLike> | AsyncIterable<SampleLike>,
  { cardinality, batched = false }: StreamOptions = {},
): Dataset {
  return new Dataset({
    cardinality,
    batched,
    open: ({ epoch, skip }) => skipping(samplesOf(generate(epoch)), skip),
  });
}

/**
 * A data set over something iterable. An iterator that can be walked once only (a generator object, a network stream) gives
 * one pass; give {@link fromGenerator} a function when several epochs are wanted.
 */
export function fromAsyncIterable(
  elements: Iterable<SampleLike> | AsyncIterable<SampleLike>,
  options: StreamOptions = {},
): Dataset {
  return fromGenerator(() => elements, options);
}

async function* samplesOf(elements: Iterable<SampleLike> | AsyncIterable<SampleLike>): AsyncGenerator<Sample> {
  for await (const element of elements) yield toSample(element);
}
