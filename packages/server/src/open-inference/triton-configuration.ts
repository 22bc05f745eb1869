import type { TensorInfo } from '@modelwright/deployment';
import type { ModelConfiguration } from '../contract/model-configuration.js';
import type { ModelInfo } from '../contract/model-info.js';
import { datatypeOf } from './datatype.js';

function typeOf(dtype: TensorInfo['dtype']): string {
  return dtype === 'string' ? 'TYPE_STRING' : `TYPE_${datatypeOf(dtype)}`;
}

/** Dimensions as Triton's configuration has them: without the batch axis where the model has one. */
function tensorToJson({ name, dtype, shape }: TensorInfo, hasBatch: boolean): unknown {
  const dims = shape.map((extent) => (typeof extent === 'number' ? extent : -1));
  return { name, data_type: typeOf(dtype), dims: hasBatch ? dims.slice(1) : dims };
}

function versionPolicy(policy: ModelConfiguration['versionPolicy'] = { latest: 1 }): unknown {
  if ('latest' in policy) return { latest: { num_versions: policy.latest } };
  if ('specific' in policy) return { specific: { versions: policy.specific.map(Number) } };
  return { all: {} };
}

function batching({ dynamicBatching, queue }: ModelConfiguration): unknown {
  return {
    preferred_batch_size: dynamicBatching?.preferredBatchSizes ?? [],
    max_queue_delay_microseconds: dynamicBatching?.maxQueueDelayMicroseconds ?? 500,
    priority_levels: queue?.priorityLevels ?? 0,
    default_queue_policy: {
      timeout_action: 'REJECT',
      default_timeout_microseconds: (queue?.defaultTimeoutMilliseconds ?? 0) * 1000,
      allow_timeout_override: true,
      max_queue_size: queue?.maxSize ?? 1024,
    },
  };
}

/** How a model is served, as Triton's model configuration extension writes it. */
export function configurationToJson(info: ModelInfo, configuration: ModelConfiguration): unknown {
  const hasBatch = info.maxBatchSize > 0;
  const isBatching = hasBatch && configuration.dynamicBatching?.isEnabled !== false && info.maxBatchSize > 1;
  return {
    name: info.name,
    platform: 'onnxruntime_onnx',
    backend: 'onnxruntime',
    version_policy: versionPolicy(configuration.versionPolicy),
    max_batch_size: info.maxBatchSize,
    input: info.inputs.map((tensor) => tensorToJson(tensor, hasBatch)),
    output: info.outputs.map((tensor) => tensorToJson(tensor, hasBatch)),
    instance_group: [{ name: info.name, kind: 'KIND_CPU', count: configuration.concurrency ?? 1 }],
    ...(isBatching ? { dynamic_batching: batching(configuration) } : {}),
    parameters: Object.fromEntries(
      Object.entries(configuration.parameters ?? {}).map(([key, value]) => [key, { string_value: value }]),
    ),
  };
}
