import { readFile } from 'node:fs/promises';
import { type Model, Tensor, type TensorMap } from '@modelwright/core';
import { type GoldenOptions, processorOf } from '@modelwright/deployment';
import type { NamedFile } from '../cli/option-values.js';
import type { Extents } from '../model/random-inputs.js';
import { readSamples } from '../model/read-samples.js';
import type { GivenProcessing } from './processing-from-options.js';

/** Examples that a proof holds at most: it goes over the wire with the model. */
const mostExamples = 5;

/** The inputs of a proof: pictures go through the model's processing, other files hold tensors. */
export async function goldenFrom(
  model: Model,
  given: { readonly golden?: readonly NamedFile[]; readonly dim?: Extents },
  { processing, tokenizers }: GivenProcessing,
): Promise<{ readonly golden: GoldenOptions; readonly notes: readonly string[] }> {
  const extents = given.dim === undefined ? {} : { extents: given.dim };
  if (given.golden === undefined) return { golden: extents, notes: [] };
  const isPicture = ({ file }: NamedFile): boolean => /\.(png|jpe?g)$/i.test(file);
  if (processing !== undefined && given.golden.every(isPicture)) {
    const { encode } = processorOf({ model, processing, tokenizers: new Map(Object.entries(tokenizers)) });
    const pictures = await Promise.all(given.golden.slice(0, mostExamples).map(({ file }) => readFile(file)));
    return { golden: { ...extents, inputs: pictures.map((bytes) => encode([new Uint8Array(bytes)])) }, notes: [] };
  }
  const { inputs, notes } = await readSamples(model, given.golden, '--golden');
  return { golden: { ...extents, inputs: oneByOne(inputs) }, notes };
}

function oneByOne(inputs: TensorMap): readonly TensorMap[] {
  const count = Math.min(mostExamples, ...Object.values(inputs).map(({ shape }) => shape[0] ?? 1));
  return Array.from({ length: count }, (_, index) =>
    Object.fromEntries(Object.entries(inputs).map(([name, tensor]) => [name, exampleAt(tensor, index)])),
  );
}

function exampleAt({ dtype, shape, data, elementCount }: Tensor, index: number): Tensor {
  const size = elementCount / (shape[0] ?? 1);
  return new Tensor(dtype, [1, ...shape.slice(1)], data.slice(index * size, (index + 1) * size) as typeof data);
}
