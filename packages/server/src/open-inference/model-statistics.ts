import type { DurationStatistic, ModelStatistics } from '../contract/model-info.js';

const none: DurationStatistic = { count: 0, ns: 0 };

/** Counts and times as Triton's statistics extension writes them. */
export function statisticsToJson(statistics: readonly ModelStatistics[]): unknown {
  return { model_stats: statistics.map(modelToJson) };
}

function modelToJson(model: ModelStatistics): unknown {
  const { inferenceStats } = model;
  return {
    name: model.name,
    version: model.version,
    last_inference: model.lastInference,
    inference_count: model.inferenceCount,
    execution_count: model.executionCount,
    inference_stats: {
      success: inferenceStats.success,
      fail: inferenceStats.fail,
      queue: inferenceStats.queue,
      compute_input: inferenceStats.computeInput,
      compute_infer: inferenceStats.computeInfer,
      compute_output: inferenceStats.computeOutput,
      cache_hit: none,
      cache_miss: none,
    },
    batch_stats: model.batchStats.map(({ batchSize, computeInfer }) => ({
      batch_size: batchSize,
      compute_input: none,
      compute_infer: computeInfer,
      compute_output: none,
    })),
    memory_usage: [{ type: 'CPU', id: 0, byte_size: model.memoryBytes }],
  };
}
