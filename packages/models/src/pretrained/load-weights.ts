import { type Model, ModelwrightError, sameShape, type Tensor, type TensorMap } from '@modelwright/core';
import { transposeTensor } from '../weights/keras-layout.js';

/** Where a weight of a model comes from. */
export interface WeightSource {
  /** Names it may have in the file; the first that is there is taken. */
  readonly names: readonly string[];
  /** The file holds a matrix `[out, in]` where the model has `[in, out]`. */
  readonly transposed?: boolean;
}

/** Says where each weight of a model is found in files of one kind. */
export interface WeightMap {
  /** What the files are, for messages: `Hugging Face GPT-2`. */
  readonly name: string;
  /** @param parameter - Name of a weight of the model. @returns undefined for one that such files do not hold. */
  sourceOf(parameter: string): WeightSource | undefined;
  /** Tensors that such files hold beside weights, such as masks; they are not reported as left over. */
  isBuffer?(name: string): boolean;
}

export interface LoadWeightsOptions {
  readonly map: WeightMap;
  /** Leave weights as they are that the file lacks, instead of refusing it. Default false. */
  readonly allowMissing?: boolean;
}

/** What became of the weights of a model and of the tensors of a file. */
export interface WeightReport {
  /** Weights that were taken over, and the tensors they came from. */
  readonly matched: readonly { readonly parameter: string; readonly tensor: string }[];
  /** Weights of the model that the file lacks. */
  readonly missing: readonly string[];
  /** Tensors of the file that the model has no weight for. */
  readonly leftOver: readonly string[];
}

/**
 * Takes over weights from named tensors of another tool, all or, if one does not fit, none. Half precision becomes what
 * the model has.
 *
 * @param tensors - As `decodeSafetensors` gives them; those of several files may be joined.
 * @returns what matched, what was missing and what was left over.
 * @throws {@link ModelwrightError} `shape-mismatch` naming weight and tensor; `checkpoint-mismatch` when weights are missing
 *   (unless that is allowed) or nothing matches.
 * @example
 * const model = gpt();
 * const { tensors } = decodeSafetensors(await readFile('gpt2/model.safetensors'));
 * loadWeights(model, tensors, { map: gpt2Weights });
 */
export function loadWeights(model: Model, tensors: TensorMap, options: LoadWeightsOptions): WeightReport {
  const { map, allowMissing = false } = options;
  const weights: { [parameter: string]: Tensor } = {};
  const matched: { parameter: string; tensor: string }[] = [];
  const missing: string[] = [];
  for (const { name, value } of model.parameters) {
    const source = map.sourceOf(name);
    const tensor = source?.names.find((candidate) => Object.hasOwn(tensors, candidate));
    if (source === undefined || tensor === undefined) {
      missing.push(name);
      continue;
    }
    const given = tensors[tensor] as Tensor;
    weights[name] = fitted(given, { parameter: name, tensor, wanted: value.shape as readonly number[], source });
    matched.push({ parameter: name, tensor });
  }
  const used = new Set(matched.map(({ tensor }) => tensor));
  const leftOver = Object.keys(tensors).filter((name) => !used.has(name) && map.isBuffer?.(name) !== true);
  const report: WeightReport = { matched, missing, leftOver };
  if (matched.length === 0 || (missing.length > 0 && !allowMissing)) throw mismatch(model, report, map);
  model.setWeights(weights);
  return report;
}

interface Fit {
  readonly parameter: string;
  readonly tensor: string;
  readonly wanted: readonly number[];
  readonly source: WeightSource;
}

function fitted(given: Tensor, { parameter, tensor, wanted, source }: Fit): Tensor {
  const isTurned = source.transposed === true && given.shape.length === 2;
  const shape = isTurned ? given.shape.toReversed() : given.shape;
  if (!sameShape(shape, wanted)) {
    const turned = isTurned ? ', transposed,' : '';
    throw new ModelwrightError(
      'shape-mismatch',
      `weight '${parameter}' has shape [${wanted}]; '${tensor}'${turned} has [${shape}]`,
      { layer: parameter, given: shape, allowed: wanted },
    );
  }
  return isTurned ? transposeTensor(given, [1, 0]) : given;
}

function mismatch(model: Model, { matched, missing, leftOver }: WeightReport, map: WeightMap): ModelwrightError {
  const some = (names: readonly string[]): string =>
    names.length > 6 ? `${names.slice(0, 6).join(', ')}, … (${names.length})` : names.join(', ') || 'none';
  const what = matched.length === 0 ? 'no weight' : `only ${matched.length} of ${model.parameters.length} weights`;
  return new ModelwrightError(
    'checkpoint-mismatch',
    `${what} of model '${model.name}' found by the names of ${map.name}; missing: ${some(missing)}; left over in the file: ${some(leftOver)}`,
    { given: leftOver, allowed: missing },
  );
}
