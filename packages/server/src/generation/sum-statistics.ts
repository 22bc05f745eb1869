import type { DurationStatistic, ModelStatistics } from '../contract/model-info.js';

/** What a model did in two ways, tensors and texts, as one. */
export function sumStatistics(one: ModelStatistics, other: ModelStatistics): ModelStatistics {
  const [first, second] = [one.inferenceStats, other.inferenceStats];
  return {
    name: one.name,
    version: one.version,
    lastInference: Math.max(one.lastInference, other.lastInference),
    inferenceCount: one.inferenceCount + other.inferenceCount,
    executionCount: one.executionCount + other.executionCount,
    inferenceStats: {
      success: sum(first.success, second.success),
      fail: sum(first.fail, second.fail),
      queue: sum(first.queue, second.queue),
      computeInput: sum(first.computeInput, second.computeInput),
      computeInfer: sum(first.computeInfer, second.computeInfer),
      computeOutput: sum(first.computeOutput, second.computeOutput),
    },
    batchStats: sumBatches([...one.batchStats, ...other.batchStats]),
    pendingCount: one.pendingCount + other.pendingCount,
    memoryBytes: one.memoryBytes + other.memoryBytes,
  };
}

function sum(one: DurationStatistic, other: DurationStatistic): DurationStatistic {
  return { count: one.count + other.count, ns: one.ns + other.ns };
}

function sumBatches(batches: ModelStatistics['batchStats']): ModelStatistics['batchStats'] {
  const bySize = new Map<number, DurationStatistic>();
  for (const { batchSize, computeInfer } of batches)
    bySize.set(batchSize, sum(bySize.get(batchSize) ?? { count: 0, ns: 0 }, computeInfer));
  return [...bySize]
    .sort(([one], [other]) => one - other)
    .map(([batchSize, computeInfer]) => ({ batchSize, computeInfer }));
}
