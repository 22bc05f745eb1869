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
  /** Of our own: which bytes answer, and what they can be asked for beside tensors. */
  readonly sha256: string;
  readonly abilities: {
    readonly generates: boolean;
    readonly embeds: boolean;
    readonly takes_raw_inputs: boolean;
  };
  /** What stands before the inputs and behind the outputs: pictures, texts, labels. */
  readonly processing: {
    readonly inputs: { readonly [name: string]: unknown };
    readonly outputs: { readonly [name: string]: unknown };
  };
}

function tensorMetadata({ name, dtype, shape }: TensorInfo): TensorMetadata {
  return {
    name,
    datatype: datatypeOf(dtype),
    shape: shape.map((extent) => (typeof extent === 'number' ? extent : -1)),
  };
}

/** Kinds and sizes; labels and templates would be most of an answer that is asked for often. */
function processingMetadata({ processing }: ModelInfo): ModelMetadata['processing'] {
  const inputs = Object.entries(processing?.inputs ?? {}).map(([name, input]) => {
    if (input.kind === 'text') return [name, { kind: 'text' }];
    const { kind, width, height, channels, invert = false } = input;
    return [name, { kind, width, height, channels, invert }];
  });
  const outputs = Object.entries(processing?.outputs ?? {}).map(([name, { kind }]) => [name, { kind }]);
  return { inputs: Object.fromEntries(inputs), outputs: Object.fromEntries(outputs) };
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
    sha256: info.sha256,
    abilities: {
      generates: info.abilities.generates,
      embeds: info.abilities.embeds,
      takes_raw_inputs: info.abilities.takesRawInputs,
    },
    processing: processingMetadata(info),
  };
}
