import type { MessageInitShape } from '@bufbuild/protobuf';
import type { DurationStatistic, ModelStatistics } from '../contract/model-info.js';
import type { ModelStatisticsSchema } from '../generated/open-inference.generated.js';

const none: DurationStatistic = { count: 0, ns: 0 };

/** Counts and times of a version as Triton's statistics extension has them. */
export function statisticsMessage(model: ModelStatistics): MessageInitShape<typeof ModelStatisticsSchema> {
  const { success, fail, queue, computeInput, computeInfer, computeOutput } = model.inferenceStats;
  return {
    name: model.name,
    version: model.version,
    lastInference: toUint64(model.lastInference),
    inferenceCount: toUint64(model.inferenceCount),
    executionCount: toUint64(model.executionCount),
    inferenceStats: {
      success: duration(success),
      fail: duration(fail),
      queue: duration(queue),
      computeInput: duration(computeInput),
      computeInfer: duration(computeInfer),
      computeOutput: duration(computeOutput),
      cacheHit: duration(none),
      cacheMiss: duration(none),
    },
    batchStats: model.batchStats.map(({ batchSize, computeInfer: compute }) => ({
      batchSize: toUint64(batchSize),
      computeInput: duration(none),
      computeInfer: duration(compute),
      computeOutput: duration(none),
    })),
    memoryUsage: [{ type: 'CPU', byteSize: toUint64(model.memoryBytes) }],
  };
}

function duration({ count, ns }: DurationStatistic): { readonly count: bigint; readonly ns: bigint } {
  return { count: toUint64(count), ns: toUint64(ns) };
}

function toUint64(value: number): bigint {
  return BigInt(Math.max(0, Math.round(value)));
}
