import type { TensorInfo } from '@modelwright/deployment';
import type { ModelIndexEntry, ModelInfo } from '../contract/model-info.js';
import { datatypeOf } from './datatype.js';

/** An input or output as the protocol's metadata show it; −1 for open extents. */
export interface TensorMetadata {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
}

/** `GET /v2/models/{model}` */
export interface ModelMetadata {
  readonly name: string;
  readonly versions: readonly string[];
  readonly platform: string;
  readonly inputs: readonly TensorMetadata[];
  readonly outputs: readonly TensorMetadata[];
}

function tensorMetadata({ name, dtype, shape }: TensorInfo): TensorMetadata {
  return {
    name,
    datatype: datatypeOf(dtype),
    shape: shape.map((extent) => (typeof extent === 'number' ? extent : -1)),
  };
}

/** A model's metadata as the protocol has them. */
export function modelMetadata(info: ModelInfo, index: readonly ModelIndexEntry[]): ModelMetadata {
  const ready = index.filter(({ name, state }) => name === info.name && state === 'READY');
  return {
    name: info.name,
    versions: ready.length === 0 ? [info.version] : ready.map(({ version }) => version),
    platform: info.platform,
    inputs: info.inputs.map(tensorMetadata),
    outputs: info.outputs.map(tensorMetadata),
  };
}
