import {
  type Graph,
  inferenceProgram,
  isModelwrightError,
  type Model,
  specialize,
  type TensorMap,
} from '@modelwright/core';
import { measureFileBytes } from '../report/file-bytes.js';
import { multiplyAddsOf } from '../report/multiply-adds.js';
import { peakMemoryOf } from '../report/peak-memory.js';
import type { StageRecord } from '../report/record.js';
import { countWeights } from '../report/weight-counts.js';
import { foldExtents } from './fold-extents.js';
import type { SampleInputs } from './sample-inputs.js';

/** What of a stage is known without running it. */
export type StaticFacts = Pick<
  StageRecord,
  'fileBytes' | 'compressedBytes' | 'weights' | 'nonZeroWeights' | 'weightBytes' | 'multiplyAdds' | 'peakMemoryBytes'
>;

/** Counts what a model holds and what one example costs. */
export async function staticFacts(model: Model, samples: SampleInputs | undefined): Promise<StaticFacts> {
  const one = samples?.of(1);
  const graph = one === undefined ? undefined : graphFor(model, one.inputs);
  const multiplyAdds = graph === undefined ? undefined : multiplyAddsOf(graph);
  const memory = graph === undefined ? undefined : peakMemoryOf(graph);
  return {
    ...(await measureFileBytes(model)),
    ...countWeights(inferenceProgram(model).graph),
    ...(multiplyAdds === undefined ? {} : { multiplyAdds: multiplyAdds / (one?.batch ?? 1) }),
    ...(memory === undefined ? {} : { peakMemoryBytes: memory.constantBytes + memory.activationBytes }),
  };
}

/** How many numbers flow between the nodes of a model for given inputs, as far as the graph tells. */
export function flowingElements(model: Model, inputs: TensorMap): number {
  const values = graphFor(model, inputs)?.nodes.flatMap(({ outputs }) => outputs) ?? [];
  return values.reduce(
    (total, { shape }) => total + shape.reduce<number>((product, extent) => product * (Number(extent) || 1), 1),
    0,
  );
}

function graphFor(model: Model, inputs: TensorMap): Graph | undefined {
  const shapes = Object.fromEntries(Object.entries(inputs).map(([name, { shape }]) => [name, shape]));
  try {
    return foldExtents(specialize(inferenceProgram(model).graph, { inputs: shapes }));
  } catch (error) {
    // The counts are then left out; what is wrong shows when the model runs.
    if (isModelwrightError(error)) return undefined;
    throw error;
  }
}
