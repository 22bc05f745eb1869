import { ModelwrightError, type Tensor, type TensorMap } from '@modelwright/core';
import type { Dataset, Sample } from '../data/index.js';
import { feedsOf } from '../program/batch-signature.js';
import { outputName } from '../program/forward-graph.js';
import type { Aggregate } from './aggregate.js';
import { concatenateBatches } from './concatenate-batches.js';
import { nameBatch, nameInputs, sizeOf } from './name-batch.js';
import { longestInUse, runPipeline } from './pipeline.js';
import type { BatchResult, TrainingSession } from './training-session.js';

/** Loss and metrics of the model, as it infers, over a pass of the data. */
export async function evaluateData(session: TrainingSession, batches: Dataset): Promise<Aggregate> {
  const aggregate = session.aggregate();
  await runPipeline(batches.epoch({ recycleAfter: longestInUse }), {
    begin: async (sample: Sample) => ({ done: evaluateBatch(session, sample) }),
    end: ({ compiled, results, examples }) => {
      aggregate.add(compiled.program, results, examples);
      return true;
    },
  });
  return aggregate;
}

/** Loss and metrics of one batch. */
export async function evaluateBatch(
  { recipe, programs }: TrainingSession,
  sample: Sample,
): Promise<Omit<BatchResult, 'step'>> {
  const { model, objectives } = recipe;
  const batch = nameBatch({ model, objectives }, sample);
  if (Object.keys(batch.targets).length === 0) {
    throw new ModelwrightError('invalid-data', `model '${model.name}' cannot be evaluated: the data has no targets`);
  }
  const compiled = await programs.evaluation(batch, 'evaluate');
  return { compiled, results: await compiled.executable.run(feedsOf(batch)), examples: sizeOf(batch.inputs) };
}

/** The model's outputs over a pass of the data, one after the other. */
export async function predictData({ recipe, programs }: TrainingSession, batches: Dataset): Promise<TensorMap> {
  const { model } = recipe;
  const parts = new Map<string, Tensor[]>(model.graph.outputs.map(({ name }) => [name, []]));
  await runPipeline(batches.epoch(), {
    async begin({ inputs }: Sample) {
      const batch = { inputs: nameInputs(model, inputs), targets: {}, sampleWeights: {} };
      const { executable } = await programs.evaluation(batch, 'predict');
      return { done: executable.run(feedsOf(batch)) };
    },
    end(results) {
      for (const [name, collected] of parts) collected.push(results[outputName(name)] as Tensor);
      return true;
    },
  });
  return Object.fromEntries([...parts].map(([name, collected]) => [name, concatenateBatches(collected, name)]));
}
