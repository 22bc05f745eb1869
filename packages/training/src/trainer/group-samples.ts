import { Tensor } from '@modelwright/core';
import type { Sample, TensorField } from '../data/index.js';

/** Memory that the batches of a group may take: all of them are held at once. */
const mostGroupBytes = 2 ** 26;

/**
 * Puts batches together that are handed to the backend in one call.
 *
 * @param sizeOf - How many the next group may have; asked when its first batch is read.
 */
export async function* groupSamples(
  samples: AsyncIterable<Sample>,
  sizeOf: () => number,
): AsyncGenerator<readonly Sample[], void, undefined> {
  let group: Sample[] = [];
  let bytes = 0;
  let most = 1;
  for await (const sample of samples) {
    if (group.length === 0) most = sizeOf();
    group.push(sample);
    if (most > 1) bytes += bytesOf(sample);
    if (group.length < most && bytes < mostGroupBytes) continue;
    yield group;
    group = [];
    bytes = 0;
  }
  if (group.length > 0) yield group;
}

function bytesOf({ inputs, targets, sampleWeights }: Sample): number {
  const tensors = [inputs, targets, sampleWeights].flatMap((field) => (field === undefined ? [] : tensorsOf(field)));
  return tensors.reduce((sum, { data }) => sum + ((data as Partial<Float32Array>).byteLength ?? 0), 0);
}

function tensorsOf(field: TensorField): readonly Tensor[] {
  return field instanceof Tensor ? [field] : Object.values(field);
}
