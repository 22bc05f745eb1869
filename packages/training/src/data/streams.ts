import { allocateData, ModelwrightError, Tensor, type TensorData } from '@modelwright/core';
import { createRandom } from './random.js';
import { batchSizeOf, mapTensors, type Sample, tensorsOf } from './sample.js';

/** Stacks examples into batches of `size`; the last may be short. */
export async function* batchStream(
  samples: AsyncIterable<Sample>,
  { size, dropRemainder }: { readonly size: number; readonly dropRemainder: boolean },
): AsyncGenerator<Sample> {
  let waiting: Sample[] = [];
  for await (const sample of samples) {
    waiting.push(sample);
    if (waiting.length === size) {
      yield stack(waiting);
      waiting = [];
    }
  }
  if (waiting.length > 0 && !dropRemainder) yield stack(waiting);
}

/**
 * One batch of examples of equal shapes.
 *
 * @throws {@link ModelwrightError} `invalid-data` naming the field and the example that differs.
 */
export function stack(samples: readonly Sample[]): Sample {
  const first = samples[0] as Sample;
  const others = samples.map((sample) => new Map(tensorsOf(sample).map(({ place, tensor }) => [place, tensor])));
  return mapTensors(first, (tensor, place) =>
    stackTensors(
      others.map((fields) => fields.get(place)),
      tensor,
      place,
    ),
  );
}

function stackTensors(parts: readonly (Tensor | undefined)[], first: Tensor, place: string): Tensor {
  const size = first.elementCount;
  const data = allocateData(first.dtype, parts.length * size) as unknown[];
  parts.forEach((part, index) => {
    const fits =
      part !== undefined &&
      part.dtype === first.dtype &&
      part.rank === first.rank &&
      part.shape.every((extent, axis) => extent === first.shape[axis]);
    if (!fits) {
      const given = part === undefined ? 'nothing' : `${part.dtype} [${part.shape}]`;
      throw new ModelwrightError(
        'invalid-data',
        `examples of one batch differ: ${place} is ${first.dtype} [${first.shape}] in its first example and ${given} in example ${index}`,
        { given, allowed: first.shape },
      );
    }
    copyInto(data, part.data, index * size);
  });
  return new Tensor(first.dtype, [parts.length, ...first.shape], data as unknown as TensorData as never);
}

function copyInto(target: unknown[], source: TensorData, offset: number): void {
  if (Array.isArray(source)) for (let i = 0; i < source.length; i++) target[offset + i] = source[i];
  else (target as unknown as Float32Array).set(source as Float32Array, offset);
}

/** The examples of each batch one by one. */
export async function* unbatchStream(batches: AsyncIterable<Sample>): AsyncGenerator<Sample> {
  for await (const batch of batches) {
    const count = batchSizeOf(batch);
    for (let index = 0; index < count; index++) {
      yield mapTensors(batch, (tensor) => {
        const rowShape = tensor.shape.slice(1);
        const size = rowShape.reduce((product, extent) => product * extent, 1);
        return new Tensor(tensor.dtype, rowShape, tensor.data.slice(index * size, (index + 1) * size) as never);
      });
    }
  }
}

/** Draws from a buffer of the next `bufferSize` elements: all that a stream longer than memory allows. */
export async function* shuffleStream(
  samples: AsyncIterable<Sample>,
  { bufferSize, seeds }: { readonly bufferSize: number; readonly seeds: readonly number[] },
): AsyncGenerator<Sample> {
  const random = createRandom(...seeds);
  const buffer: Sample[] = [];
  for await (const sample of samples) {
    if (buffer.length < bufferSize) {
      buffer.push(sample);
      continue;
    }
    const index = random.nextBelow(bufferSize);
    yield buffer[index] as Sample;
    buffer[index] = sample;
  }
  while (buffer.length > 0) {
    const index = random.nextBelow(buffer.length);
    const last = buffer.pop() as Sample;
    if (index < buffer.length) {
      yield buffer[index] as Sample;
      buffer[index] = last;
    } else yield last;
  }
}

/** Elements replaced one by one, in order; `map` may be asynchronous. */
export async function* mapStream(
  samples: AsyncIterable<Sample>,
  map: (sample: Sample) => Sample | Promise<Sample>,
): AsyncGenerator<Sample> {
  for await (const sample of samples) yield await map(sample);
}

/** Samples for which `keep` holds. */
export async function* filterStream(
  samples: AsyncIterable<Sample>,
  keep: (sample: Sample) => boolean,
): AsyncGenerator<Sample> {
  for await (const sample of samples) if (keep(sample)) yield sample;
}

/** The first `count` samples. */
export async function* takeStream(samples: AsyncIterable<Sample>, count: number): AsyncGenerator<Sample> {
  if (count <= 0) return;
  let taken = 0;
  for await (const sample of samples) {
    yield sample;
    if (++taken >= count) return;
  }
}

/** All but the first `count` samples. */
export async function* skipStream(samples: AsyncIterable<Sample>, count: number): AsyncGenerator<Sample> {
  let skipped = 0;
  for await (const sample of samples) if (++skipped > count) yield sample;
}

/** Keeps up to `count` elements being produced while the consumer works. */
export async function* prefetchStream(samples: AsyncIterable<Sample>, count: number): AsyncGenerator<Sample> {
  const iterator = samples[Symbol.asyncIterator]();
  const waiting: Promise<IteratorResult<Sample>>[] = [];
  const pull = (): void => {
    const next = iterator.next();
    // A failure is reported when its turn comes; until then it must not count as unhandled.
    next.catch(() => undefined);
    waiting.push(next);
  };
  try {
    while (waiting.length < count) pull();
    for (;;) {
      const next = await (waiting.shift() as Promise<IteratorResult<Sample>>);
      if (next.done) return;
      pull();
      yield next.value;
    }
  } finally {
    await iterator.return?.();
  }
}
