import { type Model, toNumbers } from '@modelwright/core';
import type { LayerSelection } from '../../quantize/selection.js';
import { type PrunableWeight, prunableWeights } from './prunable-weights.js';
import { type SparsityPattern, sparsityRuleOf } from './sparsity-pattern.js';
import { forEachBlock, forEachElement, gridOf } from './weight-grid.js';

/** How much of a weight is zero. */
export interface WeightSparsity {
  readonly name: string;
  readonly shape: readonly number[];
  readonly elements: number;
  readonly zeros: number;
  /** Zeros among the elements, 0 … 1. */
  readonly sparsity: number;
}

/** How much of a model's weights is zero. */
export interface ModelSparsity {
  readonly weights: readonly WeightSparsity[];
  readonly elements: number;
  readonly zeros: number;
  readonly sparsity: number;
}

/**
 * Counts the zeros in the weights that pruning is for.
 *
 * @throws {@link ModelwrightError} `invalid-argument` if a name of `selection` means no weight.
 */
export function weightSparsity(model: Model, selection: LayerSelection = {}): ModelSparsity {
  const weights = prunableWeights(model, selection).map(({ name, weight }): WeightSparsity => {
    const zeros = toNumbers(weight).reduce((count, element) => count + (element === 0 ? 1 : 0), 0);
    const { shape, elementCount: elements } = weight;
    return { name, shape, elements, zeros, sparsity: zeros / elements };
  });
  const [elements, zeros] = [sum(weights.map((each) => each.elements)), sum(weights.map((each) => each.zeros))];
  return { weights, elements, zeros, sparsity: elements === 0 ? 0 : zeros / elements };
}

/** Whether the zeros of a weight lie as `pattern` says. Any do for `unstructured`. */
export function followsPattern(weight: PrunableWeight, pattern: SparsityPattern): boolean {
  const rule = sparsityRuleOf(pattern);
  if (rule.kind === 'unstructured') return true;
  const [grid, elements] = [gridOf(weight), toNumbers(weight.weight)];
  let follows = true;
  forEachBlock(grid, rule.kind === 'blocks' ? rule : { outputs: 1, inputs: rule.of }, (block) => {
    let nonZeros = 0;
    forEachElement(grid, block, (at) => {
      if (elements[at] !== 0) nonZeros++;
    });
    const isWhole = nonZeros === 0 || nonZeros === block.outputs * block.inputs;
    if (rule.kind === 'blocks' ? !isWhole : nonZeros > rule.kept) follows = false;
  });
  return follows;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);

/** What a report says of a model's zeros. */
export function sparsityNotes({ weights, sparsity }: ModelSparsity): readonly string[] {
  const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;
  return [
    `${percent(sparsity)} of the weights are zero: ${weights.map((each) => `${each.name} ${percent(each.sparsity)}`).join(', ')}`,
    'zeros make the compressed file smaller; the runtimes here compute with them as with any number, so nothing is faster',
  ];
}
