import { ModelwrightError } from '@modelwright/core';
import { asList, asRecord, type JsonRecord, parseJson } from './json.js';

/** How a weight's numbers are stored where that is not as they are. */
export interface WeightQuantization {
  /** `uint8` and `uint16` are steps: `value · scale + min`. */
  readonly dtype: 'uint8' | 'uint16' | 'float16';
  readonly scale?: number;
  readonly min?: number;
}

/** A weight in the data, as the manifest of a `model.json` describes it. */
export interface WeightSpec {
  /** `conv2d_1/kernel` */
  readonly name: string;
  readonly shape: readonly number[];
  /** `float32`, `int32`, `bool` */
  readonly dtype: string;
  readonly quantization?: WeightQuantization;
}

/**
 * Where a LayersModel comes from: a `model.json` with its shards, or what TensorFlow.js hands to a save handler
 * (`ModelArtifacts`).
 */
export type LayersModelSource = LayersModelFile | LayersModelArtifacts;

export interface LayersModelFile {
  /** Contents of `model.json`: text, bytes, or parsed. */
  readonly model: string | Uint8Array | object;
  /** Gives the bytes of a shard by its path in the manifest: `group1-shard1of2.bin`. */
  readonly readShard: (path: string) => Promise<Uint8Array> | Uint8Array;
}

export interface LayersModelArtifacts {
  readonly modelTopology?: object | ArrayBuffer;
  readonly weightSpecs?: readonly WeightSpec[] | undefined;
  readonly weightData?: ArrayBuffer | readonly ArrayBuffer[] | undefined;
}

/** A group of weights with the bytes they lie in, one after the other. */
export interface WeightGroup {
  readonly specs: readonly WeightSpec[];
  readonly bytes: Uint8Array;
}

/** What a LayersModel is made of. */
export interface LayersModelParts {
  /** `class_name` and `config` of the model; undefined where there are weights alone. */
  readonly topology: JsonRecord | undefined;
  /** `2.15.0`, `3.4.1`, `tfjs-layers 4.22.0`. */
  readonly kerasVersion: string;
  readonly groups: readonly WeightGroup[];
}

/**
 * Reads topology and weights.
 *
 * @throws {@link ModelwrightError} `invalid-data` for what is no LayersModel, for missing shards and ones of the wrong length.
 */
export async function readParts(source: LayersModelSource): Promise<LayersModelParts> {
  if (!('model' in source)) return partsOfArtifacts(source);
  const { model } = source;
  const text = model instanceof Uint8Array ? new TextDecoder().decode(model) : model;
  const json = asRecord(typeof text === 'string' ? parseJson(text, 'model.json') : text, 'model.json');
  if (json['format'] === 'graph-model') {
    throw new ModelwrightError(
      'invalid-data',
      "model.json holds a 'graph-model', which has no layers; convert it with --output_format tfjs_layers_model",
      { given: 'graph-model', allowed: 'layers-model' },
    );
  }
  const manifest = json['weightsManifest'] === undefined ? [] : asList(json['weightsManifest'], 'weightsManifest');
  const groups = await Promise.all(manifest.map((group) => readGroup(asRecord(group, 'weightsManifest'), source)));
  return { ...topologyOf(json['modelTopology']), groups };
}

async function readGroup(group: JsonRecord, { readShard }: LayersModelFile): Promise<WeightGroup> {
  const paths = asList(group['paths'], 'weightsManifest.paths') as readonly string[];
  const shards = await Promise.all(paths.map((path) => readShard(path)));
  const specs = asList(group['weights'], 'weightsManifest.weights') as unknown as readonly WeightSpec[];
  return { specs, bytes: joined(shards) };
}

function partsOfArtifacts({ modelTopology, weightSpecs = [], weightData }: LayersModelArtifacts): LayersModelParts {
  const buffers = weightData === undefined ? [] : weightData instanceof ArrayBuffer ? [weightData] : weightData;
  return {
    ...topologyOf(modelTopology),
    groups: [{ specs: weightSpecs, bytes: joined(buffers.map((buffer) => new Uint8Array(buffer))) }],
  };
}

// The converter from Python puts the model a level deeper than TensorFlow.js.
function topologyOf(given: unknown): Pick<LayersModelParts, 'topology' | 'kerasVersion'> {
  if (given === undefined || given === null) return { topology: undefined, kerasVersion: '' };
  const outer = asRecord(given, 'modelTopology');
  const inner = outer['model_config'] === undefined ? outer : outer['model_config'];
  const topology = asRecord(typeof inner === 'string' ? parseJson(inner, 'model_config') : inner, 'modelTopology');
  const version = outer['keras_version'];
  return { topology, kerasVersion: typeof version === 'string' ? version : '' };
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const [only] = parts;
  if (only !== undefined && parts.length === 1) return only;
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
