import { GraphBuilder, isForeign, Model, ModelwrightError, type Shape } from '@modelwright/core';
import type { FunctionProto, ModelProto } from '../generated/onnx.generated.js';
import { defaultReadLimits, type ReadLimits } from '../limits.js';
import { decodeTrainingMetadata, modelKey, opsetsKey } from '../metadata/training-metadata.js';
import { decodeModel } from '../protobuf/decode-model.js';
import { type ExternalDataSource, externalDataFrom } from '../tensor/external-data.js';
import { Budget, type FileContext, invalidModel, located } from './file-context.js';
import { GraphImporter } from './import-graph.js';
import { functionKey, opsetsOf } from './inline-function.js';
import { rootScope } from './name-scope.js';
import { guessedParameters, recordedParts } from './parameters.js';
import { canonicalDomain } from './source-nodes.js';

/** Versions of ONNX that can be read. */
export const readableVersions = { irVersion: { first: 3, last: 14 }, opset: { first: 7, last: 28 } } as const;

export interface ReadOptions {
  /** What errors call the file. Default `the ONNX model`. */
  readonly file?: string;
  /** Contents of the files beside the model that hold its large tensors, by the path the model names them with. */
  readonly externalData?: Readonly<Record<string, Uint8Array>>;
  /** Shapes of inputs for which the file does not even say the number of axes, or that shall replace what it says. */
  readonly inputShapes?: { readonly [name: string]: Shape };
  /** Bounds on hostile files; those left out keep their default. */
  readonly limits?: Partial<ReadLimits>;
}

/**
 * Reads an ONNX model: opset 7 to 28, IR version 3 to 14. Older forms of ops are brought to those of opset 21, functions
 * are inlined, and ops Modelwright does not know are kept as foreign nodes (see {@link foreignNodesOf}).
 *
 * Weights are views of `bytes` where their position allows, so `bytes` must not be changed afterwards.
 *
 * @param bytes - Contents of the `.onnx` file.
 * @returns the model; parameters, layers and metadata as they were if Modelwright wrote the file. For files from elsewhere
 * every named floating-point constant that feeds arithmetic is a parameter.
 * @throws {@link ModelwrightError} `invalid-model` for a damaged or contradictory file, `limit-exceeded` for one that would
 * cost too much, `unsupported-version`, `unsupported-dtype`, `unsupported-op` (an attribute Modelwright lacks),
 * `unsupported-shape` (an input without rank), `file-unreadable` (external data that were not given).
 * @example
 * const model = readOnnx(new Uint8Array(await (await fetch('model.onnx')).arrayBuffer()));
 */
export function readOnnx(bytes: Uint8Array, options: ReadOptions = {}): Model {
  return located(options.file ?? 'the ONNX model', { file: options.file ?? '' }, () => {
    const limits = { ...defaultReadLimits, ...options.limits };
    const source = externalDataFrom(options.externalData ?? {});
    return modelOf(decodeModel(bytes, limits), source, limits, options.inputShapes ?? {});
  });
}

/** Builds the model of a decoded file. */
export function modelOf(
  proto: ModelProto,
  externalData: ExternalDataSource,
  limits: ReadLimits,
  inputShapes: { readonly [name: string]: Shape },
): Model {
  const opsets = checkedOpsets(proto);
  const file: FileContext = { limits, externalData, functions: functionsOf(proto), budget: new Budget(limits) };
  const graphProto = proto.graph ?? fail();
  const builder = new GraphBuilder(graphProto.name || 'graph');
  const importer = new GraphImporter(file, builder, { proto: graphProto, names: rootScope(opsets) });
  importer.import({ shapes: inputShapes });
  const graph = builder.build();

  const { [modelKey]: recorded, ...metadata } = Object.fromEntries(
    proto.metadataProps.map(({ key, value }) => [key, value]),
  );
  if (recorded !== undefined) {
    const training = decodeTrainingMetadata(recorded);
    const parts = recordedParts(graph, training, (name) => importer.values.find(name));
    return new Model({ name: training.name, graph, layers: training.layers, metadata, ...parts });
  }
  if (graph.nodes.some(isForeign)) metadata[opsetsKey] ??= JSON.stringify(Object.fromEntries(opsets));
  return new Model({ name: graph.name, graph, metadata, parameters: guessedParameters(graph) });
}

function fail(): never {
  throw invalidModel('the file holds no graph');
}

function checkedOpsets(proto: ModelProto): ReadonlyMap<string, number> {
  const opsets = opsetsOf(proto.opsetImport);
  checkVersion('IR version', Number(proto.irVersion), readableVersions.irVersion);
  const opset = opsets.get('');
  if (opset !== undefined) checkVersion('opset', opset, readableVersions.opset);
  return opsets;
}

function checkVersion(
  what: string,
  given: number,
  { first, last }: { readonly first: number; readonly last: number },
): void {
  if (given >= first && given <= last) return;
  throw new ModelwrightError('unsupported-version', `${what} ${given} cannot be read; ${first} to ${last} can`, {
    given,
    allowed: `${first}…${last}`,
  });
}

function functionsOf(proto: ModelProto): ReadonlyMap<string, FunctionProto> {
  const functions = new Map<string, FunctionProto>();
  for (const definition of proto.functions) {
    const key = functionKey(canonicalDomain(definition.domain), definition.name, definition.overload);
    if (functions.has(key)) throw invalidModel(`the function '${definition.name}' is defined twice`);
    functions.set(key, definition);
  }
  return functions;
}
