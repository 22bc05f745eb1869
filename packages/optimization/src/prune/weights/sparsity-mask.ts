import { ModelwrightError } from '@modelwright/core';
import { type SparsityPattern, type SparsityRule, sparsityRuleOf } from './sparsity-pattern.js';
import { forEachBlock, forEachElement, type WeightGrid } from './weight-grid.js';

/** A weight whose elements are to be ranked. */
export interface RankedWeight {
  readonly name: string;
  /** How much each element matters; the least important go. */
  readonly importance: Float64Array;
  readonly grid: WeightGrid;
  /** Share that becomes zero, `0 ≤ ratio < 1`. Shares such as `2:4` say it themselves. */
  readonly ratio: number;
}

/** How elements are chosen. */
export interface MaskOptions {
  /** Default `unstructured`. */
  readonly pattern?: SparsityPattern;
  /** How much a block matters: the mean of its elements, or its largest. Default `average`. */
  readonly pooling?: 'average' | 'max';
  /** Whether each weight loses its share, or the least important of all weights go, wherever they are. Default `layer`. */
  readonly scope?: 'layer' | 'global';
}

/**
 * Chooses what is kept: 1 for elements that stay, 0 for those that become zero, by weight.
 *
 * Of `n` elements (or blocks) `round(n·(1 − ratio))` are kept, at least one a weight; of equal ones the first.
 *
 * @throws {@link ModelwrightError} `invalid-argument` for a ratio out of range, an unknown pattern, or different ratios where
 *   all weights are ranked together.
 */
export function sparsityMasks(
  weights: readonly RankedWeight[],
  { pattern = 'unstructured', pooling = 'average', scope = 'layer' }: MaskOptions = {},
): ReadonlyMap<string, Uint8Array> {
  const rule = sparsityRuleOf(pattern);
  if (rule.kind === 'share') return new Map(weights.map((each) => [each.name, keepShare(each, rule)]));
  for (const { name, ratio } of weights) requireRatio(ratio, name);
  const units = weights.map((each) => poolUnits(each, rule, pooling));
  const pruned =
    scope === 'global'
      ? leastOfAll(units, commonRatio(weights))
      : units.map((each, at) => leastOf(each, (weights[at] as RankedWeight).ratio));
  return new Map(weights.map((each, at) => [each.name, spread(each, rule, pruned[at] as Uint8Array)]));
}

/** @throws {@link ModelwrightError} `invalid-argument` unless `0 ≤ ratio < 1`. */
export function requireRatio(ratio: number, of: string): void {
  if (ratio >= 0 && ratio < 1) return;
  throw new ModelwrightError('invalid-argument', `the ratio of '${of}' is ${ratio}; from 0 to below 1 is allowed`, {
    layer: of,
    given: ratio,
    allowed: '0 ≤ ratio < 1',
  });
}

function commonRatio(weights: readonly RankedWeight[]): number {
  const ratios = [...new Set(weights.map(({ ratio }) => ratio))];
  if (ratios.length <= 1) return ratios[0] ?? 0;
  throw new ModelwrightError(
    'invalid-argument',
    `scope 'global' ranks all weights together and takes one ratio; ${ratios.join(', ')} were given. Use scope 'layer'`,
    { given: ratios },
  );
}

/** Of every `of` inputs of an output the `kept` most important. A last group that is short keeps as many. */
function keepShare({ importance, grid }: RankedWeight, { kept, of }: SparsityRule & { kind: 'share' }): Uint8Array {
  const mask = new Uint8Array(importance.length).fill(1);
  const group: number[] = [];
  forEachBlock(grid, { outputs: 1, inputs: of }, (block) => {
    group.length = 0;
    forEachElement(grid, block, (at) => group.push(at));
    group.sort((a, b) => (importance[b] as number) - (importance[a] as number) || a - b);
    for (const at of group.slice(kept)) mask[at] = 0;
  });
  return mask;
}

/** The importance of what is kept or not as a whole. */
function poolUnits({ importance, grid }: RankedWeight, rule: SparsityRule, pooling: 'average' | 'max'): Float64Array {
  if (rule.kind !== 'blocks') return importance;
  const pooled: number[] = [];
  forEachBlock(grid, rule, (block) => {
    let [sum, largest] = [0, Number.NEGATIVE_INFINITY];
    forEachElement(grid, block, (at) => {
      sum += importance[at] as number;
      largest = Math.max(largest, importance[at] as number);
    });
    pooled.push(pooling === 'max' ? largest : sum / (block.outputs * block.inputs));
  });
  return Float64Array.from(pooled);
}

/** The mask of a weight's elements from what has been chosen of its units. */
function spread({ importance, grid }: RankedWeight, rule: SparsityRule, pruned: Uint8Array): Uint8Array {
  if (rule.kind !== 'blocks') return pruned.map((gone) => 1 - gone);
  const mask = new Uint8Array(importance.length);
  forEachBlock(grid, rule, (block, index) => {
    forEachElement(grid, block, (at) => {
      mask[at] = 1 - (pruned[index] as number);
    });
  });
  return mask;
}

const prunedCount = (units: number, ratio: number): number =>
  units - Math.max(Math.min(1, units), Math.round(units * (1 - ratio)));

/** Marks the least important units. */
function leastOf(units: Float64Array, ratio: number): Uint8Array {
  return markLeast(units, prunedCount(units.length, ratio));
}

function markLeast(units: Float64Array, count: number): Uint8Array {
  const pruned = new Uint8Array(units.length);
  if (count === 0) return pruned;
  const threshold = units.slice().sort()[count - 1] as number;
  let left = count;
  for (let at = 0; at < units.length; at++) {
    if ((units[at] as number) >= threshold) continue;
    pruned[at] = 1;
    left--;
  }
  for (let at = units.length - 1; left > 0; at--) {
    if (units[at] !== threshold) continue;
    pruned[at] = 1;
    left--;
  }
  return pruned;
}

/** Marks the least important units of all weights, but never all of one. */
function leastOfAll(units: readonly Float64Array[], ratio: number): readonly Uint8Array[] {
  const all = new Float64Array(units.reduce((sum, each) => sum + each.length, 0));
  const starts: number[] = [];
  let end = 0;
  for (const each of units) {
    starts.push(end);
    all.set(each, end);
    // The best of each weight stays whatever the others are.
    if (each.length > 0) all[end + indexOfLargest(each)] = Number.POSITIVE_INFINITY;
    end += each.length;
  }
  const pruned = markLeast(all, Math.min(prunedCount(all.length, ratio), all.length - units.length));
  return units.map((each, at) => pruned.subarray(starts[at], (starts[at] as number) + each.length));
}

function indexOfLargest(values: Float64Array): number {
  let best = 0;
  for (let at = 1; at < values.length; at++) if ((values[at] as number) > (values[best] as number)) best = at;
  return best;
}
