import { ModelwrightError, type Tensor, type TensorMap } from '@modelwright/core';
import type { Dataset, Sample } from '../data/index.js';
import { feedsOf } from '../program/batch-signature.js';
import { outputName } from '../program/forward-graph.js';
import type { Aggregate } from './aggregate.js';
import { concatenateBatches } from './concatenate-batches.js';
import { groupSamples } from './group-samples.js';
import { nameBatch, nameInputs, sizeOf } from './name-batch.js';
import { longestInUse, runPipeline } from './pipeline.js';
import { type PreparedBatch, runBatches } from './run-batches.js';
import type { BatchResult, TrainingSession } from './training-session.js';

/** What came of a batch that was not trained on. */
export type EvaluatedBatch = Omit<BatchResult, 'step'>;

/** Loss and metrics of the model, as it infers, over a pass of the data. */
export async function evaluateData(session: TrainingSession, batches: Dataset): Promise<Aggregate> {
  const aggregate = session.aggregate();
  const isAlone = session.batchesAtOnce === 1;
  await runPipeline(grouped(session, batches.epoch(isAlone ? { recycleAfter: longestInUse } : {})), {
    begin: async (samples) => ({ done: evaluateBatches(session, samples) }),
    end: (evaluated) => {
      for (const { compiled, results, examples } of evaluated) aggregate.add(compiled.program, results, examples);
      return true;
    },
  });
  return aggregate;
}

/** Loss and metrics of batches. */
export async function evaluateBatches(
  { recipe, programs }: TrainingSession,
  samples: readonly Sample[],
): Promise<readonly EvaluatedBatch[]> {
  const { model, objectives } = recipe;
  const prepared: PreparedBatch[] = [];
  for (const sample of samples) {
    const batch = nameBatch({ model, objectives }, sample);
    if (Object.keys(batch.targets).length === 0) {
      throw new ModelwrightError('invalid-data', `model '${model.name}' cannot be evaluated: the data has no targets`);
    }
    const compiled = await programs.evaluation(batch, 'evaluate');
    prepared.push({ compiled, feeds: feedsOf(batch), examples: sizeOf(batch.inputs) });
  }
  const results = await runBatches(prepared);
  return prepared.map((batch, index) => ({ ...batch, results: results[index] as TensorMap }));
}

/** The model's outputs over a pass of the data, one after the other. */
export async function predictData(session: TrainingSession, batches: Dataset): Promise<TensorMap> {
  const { model } = session.recipe;
  const parts = new Map<string, Tensor[]>(model.graph.outputs.map(({ name }) => [name, []]));
  await runPipeline(grouped(session, batches.epoch()), {
    begin: async (samples) => ({ done: predictBatches(session, samples) }),
    end(results) {
      for (const each of results)
        for (const [name, collected] of parts) collected.push(each[outputName(name)] as Tensor);
      return true;
    },
  });
  return Object.fromEntries([...parts].map(([name, collected]) => [name, concatenateBatches(collected, name)]));
}

async function predictBatches(
  { recipe, programs }: TrainingSession,
  samples: readonly Sample[],
): Promise<readonly TensorMap[]> {
  const prepared: PreparedBatch[] = [];
  for (const { inputs: field } of samples) {
    const inputs = nameInputs(recipe.model, field);
    const batch = { inputs, targets: {}, sampleWeights: {} };
    const compiled = await programs.evaluation(batch, 'predict');
    prepared.push({ compiled, feeds: feedsOf(batch), examples: sizeOf(inputs) });
  }
  return runBatches(prepared);
}

function grouped({ batchesAtOnce }: TrainingSession, samples: AsyncIterable<Sample>): AsyncIterable<readonly Sample[]> {
  return groupSamples(samples, () => batchesAtOnce);
}
