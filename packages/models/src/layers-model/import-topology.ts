import { type DType, ModelwrightError } from '@modelwright/core';
import type { Layer } from '../layer.js';
import { modelLayer } from '../layers/model-layer.js';
import { input, model } from '../model/functional.js';
import type { LayeredModel } from '../model/layered-model.js';
import type { SymbolicTensor } from '../symbolic-tensor.js';
import { asList, asRecord, asText, type JsonRecord } from './json.js';
import { LayerConfig } from './layer-config.js';
import { importerOf } from './layer-importers.js';

/** What importing a topology needs, and collects. */
export interface TopologyImport {
  readonly kerasVersion: string;
  /** Options that say something, but mean nothing here: `layer.option`. */
  readonly ignored: string[];
}

const modelClasses = new Set(['Sequential', 'Functional', 'Model']);

/**
 * A model of its `class_name` and `config`, with fresh weights.
 *
 * @throws {@link ModelwrightError} `unsupported-op` naming all layers that there are none of here, `invalid-data` for configurations
 *   that make no sense, and what the layers throw.
 */
export function importTopology(topology: JsonRecord, context: TopologyImport): LayeredModel {
  const className = asText(topology['class_name'], 'class_name');
  const config = asRecord(topology['config'], 'config');
  requireKnownLayers(topology);
  if (className === 'Sequential') return importSequential(config, context);
  if (modelClasses.has(className)) return importFunctional(config, context);
  throw new ModelwrightError('unsupported-op', `a model of class ${className} cannot be imported`, {
    given: className,
    allowed: [...modelClasses],
  });
}

/** All that is missing is said at once. */
function requireKnownLayers(topology: JsonRecord): void {
  const missing = unknownLayers(topology);
  if (missing.length === 0) return;
  throw new ModelwrightError(
    'unsupported-op',
    `layers that cannot be imported: ${missing.map(({ className, name }) => `${className} '${name}'`).join(', ')}`,
    { layer: missing[0]?.name ?? '', given: missing.map(({ className }) => className) },
  );
}

function unknownLayers(serialized: JsonRecord): readonly { readonly className: string; readonly name: string }[] {
  const className = String(serialized['class_name']);
  const config = asRecord(serialized['config'] ?? {}, 'config');
  if (modelClasses.has(className)) {
    return asList(config['layers'], 'layers').flatMap((layer) => unknownLayers(asRecord(layer, 'layers')));
  }
  const known = className === 'InputLayer' || importerOf(className) !== undefined;
  return known ? [] : [{ className, name: String(config['name'] ?? serialized['name'] ?? '') }];
}

function importSequential(config: JsonRecord, context: TopologyImport): LayeredModel {
  const all = asList(config['layers'], 'layers').map((layer) => asRecord(layer, 'layers'));
  const [first] = all;
  if (first === undefined) throw new ModelwrightError('invalid-data', 'a Sequential model has no layers');
  const name = String(config['name'] ?? 'sequential');
  const start = startOf(first, config);
  const stack = first['class_name'] === 'InputLayer' ? all.slice(1) : all;
  const end = stack.reduce((x, layer) => importLayer(layer, context)(x), start.tensor);
  const last = asRecord(stack.at(-1)?.['config'] ?? {}, 'config');
  return model({
    name,
    inputs: { [start.name]: start.tensor },
    outputs: { [String(last['name'] ?? 'output')]: end },
  });
}

// A chain begins with an InputLayer, a layer that knows its input, or a model.
function startOf(
  first: JsonRecord,
  sequential: JsonRecord,
): { readonly name: string; readonly tensor: SymbolicTensor } {
  const config = asRecord(first['config'], 'config');
  if (first['class_name'] === 'InputLayer') return inputOf(config);
  const inner = (config['layers'] as readonly JsonRecord[] | undefined)?.[0];
  const shape = shapeOf(config) ?? (inner === undefined ? undefined : shapeOf(asRecord(inner['config'], 'config')));
  const given = shape ?? (sequential['build_input_shape'] as Extents | undefined);
  if (given === undefined) {
    throw new ModelwrightError(
      'invalid-data',
      `Sequential '${String(sequential['name'])}' does not say its input shape`,
      {
        layer: String(config['name']),
      },
    );
  }
  const name = `${String(config['name'])}_input`;
  const tokens = first['class_name'] === 'Embedding';
  const dtype = tokens ? 'int32' : 'float32';
  return { name, tensor: input({ shape: given.slice(1), name, dtype, ...batchSizeOf(given) }) };
}

type Extents = readonly (number | null)[];

function shapeOf(config: JsonRecord): Extents | undefined {
  return (config['batch_input_shape'] ?? config['batch_shape'] ?? undefined) as Extents | undefined;
}

function batchSizeOf([batch]: Extents): { readonly batchSize?: number } {
  return typeof batch === 'number' ? { batchSize: batch } : {};
}

function inputOf(config: JsonRecord): { readonly name: string; readonly tensor: SymbolicTensor } {
  const name = asText(config['name'], 'InputLayer.name');
  const shape = shapeOf(config);
  if (shape === undefined) {
    throw new ModelwrightError('invalid-data', `InputLayer '${name}' does not say its shape`, { layer: name });
  }
  return {
    name,
    tensor: input({ shape: shape.slice(1), name, dtype: dtypeOf(config['dtype']), ...batchSizeOf(shape) }),
  };
}

// A name; in Keras 3 it may stand in a policy.
function dtypeOf(given: unknown): DType {
  const policy = typeof given === 'object' && given !== null ? (given as JsonRecord)['config'] : undefined;
  return (policy === undefined ? (given ?? 'float32') : asRecord(policy, 'dtype')['name']) as DType;
}

/** A layer, or a whole model as one. */
function importLayer(serialized: JsonRecord, context: TopologyImport): Layer {
  const className = asText(serialized['class_name'], 'class_name');
  const config = asRecord(serialized['config'] ?? {}, 'config');
  if (modelClasses.has(className)) {
    const name = String(config['name'] ?? serialized['name']);
    return modelLayer(importTopology(serialized, context), { name });
  }
  const layerConfig = new LayerConfig({ className, config, kerasVersion: context.kerasVersion });
  const importer = importerOf(className);
  if (importer === undefined) return layerConfig.refuse('there is no such layer');
  const importInner = (inner: unknown): Layer => importLayer(asRecord(inner, `${layerConfig.name}.layer`), context);
  const layer = importer(layerConfig, { importInner });
  context.ignored.push(...layerConfig.leftOver().map((option) => `${layerConfig.name}.${option}`));
  return layer;
}

/** Where a tensor comes from: layer, number of its use, number of its output. */
type Reference = readonly [string, number, number];

interface PendingLayer {
  readonly name: string;
  readonly layer: Layer;
  /** What each use reads. */
  readonly uses: readonly (readonly Reference[])[];
  /** Number of the first use. */
  readonly firstUse: number;
  /** Outputs of the uses so far. */
  readonly outputs: (readonly SymbolicTensor[])[];
}

function importFunctional(config: JsonRecord, context: TopologyImport): LayeredModel {
  const outputs = new Map<string, (readonly SymbolicTensor[])[]>();
  const pending: PendingLayer[] = [];
  for (const each of asList(config['layers'], 'layers').map((layer) => asRecord(layer, 'layers'))) {
    const name = String(each['name'] ?? asRecord(each['config'], 'config')['name']);
    const made: (readonly SymbolicTensor[])[] = [];
    outputs.set(name, made);
    if (each['class_name'] === 'InputLayer') made.push([inputOf(asRecord(each['config'], 'config')).tensor]);
    else {
      const uses = asList(each['inbound_nodes'] ?? [], `${name}.inbound_nodes`).map((node) => referencesOf(node, name));
      pending.push({ name, layer: importLayer(each, context), uses, firstUse: 0, outputs: made });
    }
  }
  const ends = endpoints(config['output_layers'], 'output_layers');
  const references = [...ends, ...pending.flatMap(({ uses }) => uses.flat())];
  applyAll(
    pending.map((each) => ({ ...each, firstUse: firstUseOf(each.name, references) })),
    outputs,
  );
  const take = (key: string): { readonly [name: string]: SymbolicTensor } =>
    Object.fromEntries(
      endpoints(config[key], key).map((reference) => [reference[0], tensorAt(reference, outputs, key)] as const),
    );
  const name = String(config['name'] ?? 'model');
  return model({ name, inputs: take('input_layers'), outputs: take('output_layers') });
}

// Models count their own making as a use, but do not write it down.
function firstUseOf(name: string, references: readonly Reference[]): number {
  const uses = references.filter(([layer]) => layer === name).map(([, use]) => use);
  return uses.length === 0 ? 0 : Math.min(...uses);
}

// A use is possible when all that it reads is there; layers that are shared wait for their turns.
function applyAll(
  pending: readonly PendingLayer[],
  made: ReadonlyMap<string, readonly (readonly SymbolicTensor[])[]>,
): void {
  let progress = true;
  while (progress) {
    progress = false;
    for (const { layer, uses, firstUse, outputs } of pending) {
      while (outputs.length < firstUse) outputs.push([]);
      for (let use = uses[outputs.length - firstUse]; use !== undefined; use = uses[outputs.length - firstUse]) {
        const inputs = use.map(([name, node, index]) => made.get(name)?.[node]?.[index]);
        if (inputs.includes(undefined)) break;
        outputs.push(layer.applyAll(inputs as readonly SymbolicTensor[]));
        progress = true;
      }
    }
  }
}

function tensorAt(
  [name, node, index]: Reference,
  made: ReadonlyMap<string, readonly (readonly SymbolicTensor[])[]>,
  what: string,
): SymbolicTensor {
  const tensor = made.get(name)?.[node]?.[index];
  if (tensor !== undefined) return tensor;
  throw new ModelwrightError(
    'invalid-data',
    `${what} names output ${index} of use ${node} of '${name}', which is not there`,
    {
      layer: name,
    },
  );
}

/** `[["a", 0, 0], …]`, or a single `["a", 0, 0]`. */
function endpoints(given: unknown, what: string): readonly Reference[] {
  const list = asList(given, what);
  return (typeof list[0] === 'string' ? [list] : list) as unknown as readonly Reference[];
}

// Keras before 3 lists `[layer, use, output, {}]`; Keras 3 has tensors with their history among arguments.
function referencesOf(node: unknown, name: string): readonly Reference[] {
  if (!Array.isArray(node)) return historiesIn(asRecord(node, `${name}.inbound_nodes`)['args']);
  return (node as readonly (readonly unknown[])[]).map((entry) => {
    const [layer, use, index, keywords] = entry as unknown as readonly [string, number, number, JsonRecord?];
    if (keywords !== undefined && Object.keys(keywords).some((key) => key !== 'training')) {
      throw new ModelwrightError(
        'unsupported-op',
        `layer '${name}' is called with ${Object.keys(keywords).join(', ')}, which cannot be imported`,
        { layer: name, given: Object.keys(keywords) },
      );
    }
    return [layer, use, index];
  });
}

function historiesIn(given: unknown): readonly Reference[] {
  if (Array.isArray(given)) return given.flatMap(historiesIn);
  if (typeof given !== 'object' || given === null) return [];
  const record = given as JsonRecord;
  if (record['class_name'] !== '__keras_tensor__') return Object.values(record).flatMap(historiesIn);
  return [asRecord(record['config'], '__keras_tensor__')['keras_history'] as Reference];
}
