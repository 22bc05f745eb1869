import { isFloat, type Model, ModelwrightError, type Tensor, type Value } from '@modelwright/core';
import { isMeant, type LayerSelection, type NamePattern } from '../../quantize/selection.js';
import { weightedNodes } from '../../weighted-nodes.js';
import { type SparsityPattern, sparsityRuleOf } from './sparsity-pattern.js';

/** A weight of which elements may become zero. */
export interface PrunableWeight {
  /** The name of the parameter, or of the constant where it is none. */
  readonly name: string;
  readonly value: Value;
  readonly weight: Tensor;
  /** The axis that counts what the layer puts out. */
  readonly outputAxis: number;
  /** The axis that is summed over. */
  readonly inputAxis: number;
  /** Whether it is only looked up in, as embeddings are: then there are no inputs that a sum goes over. */
  readonly isTable: boolean;
  /** By what names users may mean it: its own, its layer's, its node's. */
  readonly names: readonly string[];
}

/** Some of a model's weights, and how they are pruned. */
export interface WeightSelection extends LayerSelection {
  /** Shares such as `2:4` are of inputs that are summed over: embeddings have none. */
  readonly pattern?: SparsityPattern;
}

/**
 * The weights of a model that pruning is for: kernels of convolutions and dense layers, embeddings, both matrices of
 * recurrent layers. Biases and what normalizes stay whole.
 *
 * @throws {@link ModelwrightError} `invalid-argument` if a name of `selection` means none of them.
 */
export function prunableWeights(model: Model, selection: WeightSelection = {}): readonly PrunableWeight[] {
  const parameters = new Map(model.parameters.map(({ name, value }) => [value, name]));
  const layers = new Map(model.layers.flatMap((layer) => layer.parameters.map((name) => [name, layer.name])));
  const found = new Map<Value, PrunableWeight>();
  for (const { node, value, weight, outputAxis, inputAxis } of weightedNodes(model.graph)) {
    if (!isFloat(weight.dtype) || weight.elementCount === 0) continue;
    const name = parameters.get(value) ?? value.name;
    const earlier = found.get(value);
    const layer = layers.get(name);
    const names = [...(earlier?.names ?? [name, ...(layer === undefined ? [] : [layer])]), node.name];
    const isTable = node.op === 'Gather' && earlier?.isTable !== false;
    found.set(value, { ...(earlier ?? { name, value, weight, outputAxis, inputAxis }), isTable, names });
  }
  const { include, exclude = [], pattern: sparsity = 'unstructured' } = selection;
  const takesTables = sparsityRuleOf(sparsity).kind !== 'share';
  for (const pattern of [...(include ?? []), ...exclude]) requireMeaning(model, pattern, [...found.values()]);
  const isOne = (patterns: readonly NamePattern[], names: readonly string[]): boolean =>
    patterns.some((pattern) => isMeant(pattern, names));
  return [...found.values()].filter(
    ({ names, isTable }) =>
      (takesTables || !isTable) && (include === undefined || isOne(include, names)) && !isOne(exclude, names),
  );
}

/** @throws {@link ModelwrightError} `invalid-argument` if `pattern` means none of `weights`. */
export function requireMeaning(model: Model, pattern: NamePattern, weights: readonly PrunableWeight[]): void {
  if (weights.some(({ names }) => isMeant(pattern, names))) return;
  const allowed = weights.map(({ name }) => name);
  throw new ModelwrightError(
    'invalid-argument',
    `'${String(pattern)}' names no weight of model '${model.name}' that can be pruned; there are: ` +
      `${allowed.join(', ') || 'none'}`,
    { given: String(pattern), allowed },
  );
}
