import { type DType, ModelwrightError } from '@modelwright/core';
import type { TensorInfo } from '../../bundle/manifest.js';
import type { ManifestDraft } from '../target.js';
import { type EnumName, enumName, type TextMessage } from './text-format.js';

/** How Triton is to serve a model. */
export interface TritonSettings {
  /** Examples that run as one at most; 0 for a model without a batch axis. */
  readonly maxBatchSize: number;
  readonly preferredBatchSizes: readonly number[];
  readonly maxQueueDelayMicroseconds: number;
  readonly instances: number;
  readonly device: 'auto' | 'cpu' | 'gpu';
  /** How many of the newest versions are served. */
  readonly versions: number;
  /** File of the labels by output. */
  readonly labelFiles: Readonly<Record<string, string>>;
}

/** Whether every input and output has an open first axis: what Triton means by batching. */
export function isBatched({ inputs, outputs }: ManifestDraft['model']): boolean {
  return [...inputs, ...outputs].every(({ shape }) => typeof shape[0] === 'string');
}

const dataTypes: { readonly [D in DType]?: string } = {
  bool: 'TYPE_BOOL',
  uint8: 'TYPE_UINT8',
  uint16: 'TYPE_UINT16',
  uint32: 'TYPE_UINT32',
  uint64: 'TYPE_UINT64',
  int8: 'TYPE_INT8',
  int16: 'TYPE_INT16',
  int32: 'TYPE_INT32',
  int64: 'TYPE_INT64',
  float16: 'TYPE_FP16',
  float32: 'TYPE_FP32',
  float64: 'TYPE_FP64',
  bfloat16: 'TYPE_BF16',
  string: 'TYPE_STRING',
};

/**
 * The `config.pbtxt` of a model, as a message. The name is left out: Triton takes that of the folder.
 *
 * @throws {@link ModelwrightError} `unsupported-dtype` for an input or output of 4-bit integers.
 */
export function tritonConfig({ model }: ManifestDraft, settings: TritonSettings): TextMessage {
  const { maxBatchSize, preferredBatchSizes, instances, device, versions, labelFiles } = settings;
  const isBatching = maxBatchSize > 0;
  return {
    backend: 'onnxruntime',
    default_model_filename: 'model.onnx',
    max_batch_size: maxBatchSize,
    input: model.inputs.map((info) => tensorConfig(info, isBatching)),
    output: model.outputs.map((info) => ({
      ...tensorConfig(info, isBatching),
      label_filename: labelFiles[info.name],
    })),
    version_policy: { latest: { num_versions: versions } },
    instance_group: [{ kind: enumName(`KIND_${device.toUpperCase()}`), count: instances }],
    dynamic_batching: isBatching
      ? {
          preferred_batch_size: preferredBatchSizes.length > 0 ? preferredBatchSizes : undefined,
          max_queue_delay_microseconds: settings.maxQueueDelayMicroseconds,
        }
      : undefined,
    model_warmup: warmUp(model.inputs, maxBatchSize),
  };
}

/** A tensor without its batch axis; one without any axis left is written as one element and reshaped. */
function tensorConfig({ name, dtype, shape }: TensorInfo, isBatching: boolean): TextMessage {
  const dims = (isBatching ? shape.slice(1) : shape).map((extent) => (typeof extent === 'number' ? extent : -1));
  return {
    name,
    data_type: dataTypeOf(name, dtype),
    dims: dims.length > 0 ? dims : [1],
    reshape: dims.length > 0 ? undefined : { shape: [] },
  };
}

function dataTypeOf(name: string, dtype: DType): EnumName {
  const type = dataTypes[dtype];
  if (type !== undefined) return enumName(type);
  throw new ModelwrightError('unsupported-dtype', `Triton has no ${dtype}, which '${name}' is`, { given: dtype });
}

/** One run with zeros before the model is ready, where all extents are known. */
function warmUp(inputs: readonly TensorInfo[], maxBatchSize: number): readonly TextMessage[] | undefined {
  const isBatching = maxBatchSize > 0;
  const shapes = inputs.map(({ shape }) => (isBatching ? shape.slice(1) : shape));
  const isKnown = shapes.every((shape) => shape.length > 0 && shape.every((extent) => typeof extent === 'number'));
  if (!isKnown || inputs.some(({ dtype }) => dtype === 'string')) return undefined;
  const entries = inputs.map(({ name, dtype }, index) => ({
    key: name,
    value: { data_type: dataTypeOf(name, dtype), dims: shapes[index] as number[], zero_data: true },
  }));
  return [{ name: 'first', batch_size: isBatching ? 1 : 0, inputs: entries }];
}
