import { create } from '@bufbuild/protobuf';
import { type Graph, isForeign, Model, ModelwrightError, type Value } from '@modelwright/core';
import { type FunctionProto, type ModelProto, ModelProtoSchema } from '../generated/onnx.generated.js';
import { opVersions } from '../generated/op-versions.generated.js';
import { encodeTrainingMetadata, modelKey, opsetsKey, type TrainingMetadata } from '../metadata/training-metadata.js';
import { allNodes } from '../read/foreign-nodes.js';
import { encodeGraph } from './encode-graph.js';
import { type EncodedModel, encodeModel, joinParts } from './encode-model.js';
import { rawByteCount } from './encode-tensor.js';
import { FunctionTable } from './function-table.js';
import { lowerGraph } from './lower-graph.js';
import { type ModelSource, sourceOf, valuesNamedBy } from './model-source.js';
import { switchBranches } from './switch-branches.js';
import { irVersionOf, type WriteOptions, writableOpsets } from './write-options.js';

/** What {@link writeOnnx} makes. */
export interface OnnxFiles {
  /** Contents of the `.onnx` file. */
  readonly bytes: Uint8Array;
  /** Contents of the data file by its location, as `readOnnx` takes it; there if it was asked for and not empty. */
  readonly externalData?: { readonly [location: string]: Uint8Array };
}

/**
 * Writes a model, or a bare graph, as an ONNX file: opset 21 and IR version 10 unless asked otherwise. Weights bear the
 * names of the model's parameters. Ops that the opset lacks, Modelwright's own among them, are replaced by simpler ones; those whose
 * identity matters to training or decoding stand as calls of functions with such bodies, and what only training computes in branches that
 * no runtime takes. Of a model, layout changes that undo each other are left out; a bare graph is written as it stands.
 *
 * `readOnnx` of the result gives the same model back, parameters, layers and metadata included.
 *
 * @throws {@link ModelwrightError} `unsupported-version` naming the node if the opset cannot express it, `unsupported-op`,
 * `limit-exceeded` above 2 GB without `externalData`.
 * @example
 * const { bytes } = writeOnnx(model);
 */
export function writeOnnx(model: Model | Graph, options: WriteOptions = {}): OnnxFiles {
  const { model: file, externalData } = encodeOnnx(model, options);
  return {
    bytes: joinParts(file),
    ...(externalData === undefined ? {} : { externalData: { [externalData.location]: joinParts(externalData) } }),
  };
}

/** As {@link writeOnnx}, in pieces that share the weights' memory. */
export function encodeOnnx(given: Model | Graph, options: WriteOptions = {}): EncodedModel {
  const source = sourceOf(given);
  const passedOn = sourceOpsets(source);
  const opset = chosenOpset(options, passedOn.get(''));
  const keepsOps = options.trainingMetadata ?? true;
  const lowered = lowerGraph(source.graph, { opset, keepsOps });
  const written = (value: Value): Value => lowered.follow(source.valueOf(value)) ?? value;
  const named = source.model === undefined ? [] : valuesNamedBy(source.model).map(written);
  const { graph, condition } = switchBranches(lowered.graph, named);
  const functions = new FunctionTable(opset);
  const encoding = { opset, valueInfo: options.valueInfo ?? true, ...(keepsOps ? { functions } : {}) };
  const wanted = new Map(source.model?.parameters.map(({ name, value }) => [written(value), name]));
  if (condition !== undefined) wanted.set(condition, condition.name);
  const encoded = encodeGraph(graph, encoding, wanted);
  const recorded =
    source.model === undefined ? {} : metadataOf(source.model, (value) => encoded.names.of(written(value)), options);
  const metadata = { ...recorded, ...options.metadata };
  const header = { opset, passedOn, graph, metadata, functions: functions.functions };
  return encodeModel(headerOf(header, options), encoded, options.externalData);
}

function chosenOpset(options: WriteOptions, passedOn: number | undefined): number {
  const { opset } = options;
  if (opset === undefined) return Math.max(writableOpsets.default, passedOn ?? 0);
  const highest = Math.max(writableOpsets.last, passedOn ?? 0);
  if (!Number.isInteger(opset) || opset < writableOpsets.first || opset > highest) {
    throw new ModelwrightError(
      'unsupported-version',
      `opset ${opset} cannot be written; ${writableOpsets.first} to ${highest} can`,
      {
        given: opset,
        allowed: `${writableOpsets.first}…${highest}`,
      },
    );
  }
  if (passedOn !== undefined && opset < passedOn) {
    throw new ModelwrightError(
      'unsupported-version',
      `the model passes on nodes of another file that are written for opset ${passedOn}, so it cannot be written in opset ${opset}`,
      { given: opset, allowed: passedOn },
    );
  }
  return opset;
}

/** Versions of the operator sets that foreign nodes need; for ONNX's own, the newest form that one of them has. */
function sourceOpsets({ graph, model }: ModelSource): ReadonlyMap<string, number> {
  const opsets = new Map<string, number>();
  const recorded = parseOpsets(model?.metadata[opsetsKey]);
  for (const node of allNodes(graph)) {
    if (!isForeign(node)) continue;
    if (node.domain !== '') opsets.set(node.domain, recorded[node.domain] ?? 1);
    else opsets.set('', Math.max(opsets.get('') ?? 0, formOf(node.op, recorded[''] ?? 0)));
  }
  return opsets;
}

/** The opset of the form in which a foreign node stands: older ones were brought to that of the default opset. */
function formOf(op: string, recorded: number): number {
  const versions = opVersions[op] ?? [];
  const known = Math.max(recorded, writableOpsets.default);
  return versions.filter((version) => version <= known).at(-1) ?? versions[0] ?? 0;
}

function parseOpsets(text: string | undefined): { readonly [domain: string]: number | undefined } {
  try {
    const parsed: unknown = JSON.parse(text ?? '{}');
    if (typeof parsed !== 'object' || parsed === null) return {};
    return Object.fromEntries(Object.entries(parsed).filter(([, version]) => Number.isSafeInteger(version)));
  } catch {
    // The entry comes from the user's metadata; without it every domain counts as version 1.
    return {};
  }
}

function metadataOf(
  model: Model,
  nameOf: (value: Value) => string,
  options: WriteOptions,
): { readonly [key: string]: string } {
  if (options.trainingMetadata === false) return model.metadata;
  const { name, layers } = model;
  const training: TrainingMetadata = {
    name,
    layers,
    parameters: model.parameters.map(({ value, ...parameter }) => ({ ...parameter, initializer: nameOf(value) })),
    states: model.states.map((state) => ({
      name: state.name,
      initializer: nameOf(state.value),
      next: nameOf(state.next),
    })),
    outputMasks: [...model.outputMasks].map(([output, value]) => ({ name: output, value: nameOf(value) })),
    losses: model.losses.map((loss) => ({ name: loss.name, value: nameOf(loss.value) })),
  };
  return { ...model.metadata, [modelKey]: encodeTrainingMetadata(training) };
}

interface Header {
  readonly opset: number;
  /** Versions of operator sets that foreign nodes need. */
  readonly passedOn: ReadonlyMap<string, number>;
  readonly graph: Graph;
  readonly metadata: { readonly [key: string]: string };
  readonly functions: readonly FunctionProto[];
}

function headerOf({ opset, passedOn, graph, metadata, functions }: Header, options: WriteOptions): ModelProto {
  const used = new Set(
    [...allNodes(graph), ...functions].map(({ domain }) => domain).filter((domain) => domain !== ''),
  );
  const domains = [...used].map((domain) => ({ domain, version: BigInt(passedOn.get(domain) ?? 1) }));
  return create(ModelProtoSchema, {
    irVersion: BigInt(irVersionOf(opset)),
    producerName: options.producer?.name ?? 'modelwright',
    ...(options.producer?.version === undefined ? {} : { producerVersion: options.producer.version }),
    opsetImport: [{ domain: '', version: BigInt(opset) }, ...domains],
    metadataProps: Object.entries(metadata).map(([key, value]) => ({ key, value })),
    functions: [...functions],
  });
}

/** Bytes of all constants of a model's graph (subgraphs aside). */
export function weightBytesOf(source: Model | Graph): number {
  const graph = source instanceof Model ? source.graph : source;
  return [...graph.constants.values()].reduce((sum, tensor) => sum + rawByteCount(tensor), 0);
}
