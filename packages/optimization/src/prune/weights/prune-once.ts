import { type Model, ModelwrightError, type Tensor, toNumbers, type Value } from '@modelwright/core';
import { isMeant, type LayerSelection } from '../../quantize/selection.js';
import { withGraph } from '../../with-graph.js';
import { masked } from './mask-extension.js';
import { type PrunableWeight, prunableWeights, requireMeaning } from './prunable-weights.js';
import { type MaskOptions, requireRatio, sparsityMasks } from './sparsity-mask.js';
import { sparsityRuleOf } from './sparsity-pattern.js';
import { gridOf } from './weight-grid.js';

/** Which weights become zero. */
export interface PruneWeightsOptions extends LayerSelection, MaskOptions {
  /** Share of each weight (or with scope `global` of all) that becomes zero. Patterns such as `2:4` say it themselves. */
  readonly ratio?: number;
  /** Ratios of single layers or weights by name; those not named get {@link ratio}, or stay as they are without it. */
  readonly ratios?: { readonly [name: string]: number };
}

/** A new model with the least important elements of its weights at zero. */
export function pruneOnce(model: Model, options: PruneWeightsOptions): Model {
  const chosen = chooseWeights(model, options);
  const masks = sparsityMasks(
    chosen.map(({ weight, ratio }) => ({
      name: weight.name,
      importance: toNumbers(weight.weight).map(Math.abs),
      grid: gridOf(weight),
      ratio,
    })),
    options,
  );
  return withConstants(
    model,
    new Map(chosen.map(({ weight }) => [weight.value, masked(weight.weight, masks.get(weight.name) as Uint8Array)])),
  );
}

/** Prunes single layers: each by its ratio, or those that are named where the pattern says the ratio itself. */
export function pruneLayers(
  model: Model,
  ratios: { readonly [name: string]: number },
  { ratio: _, ratios: __, ...options }: PruneWeightsOptions,
): Model {
  const isShare = sparsityRuleOf(options.pattern ?? 'unstructured').kind === 'share';
  return pruneOnce(model, isShare ? { ...options, include: Object.keys(ratios) } : { ...options, ratios });
}

/** The same model with other values of some of its constants. */
export function withConstants(model: Model, values: ReadonlyMap<Value, Tensor>): Model {
  return withGraph(model, { ...model.graph, constants: new Map([...model.graph.constants, ...values]) });
}

interface ChosenWeight {
  readonly weight: PrunableWeight;
  readonly ratio: number;
}

function chooseWeights(model: Model, { ratio, ratios = {}, ...options }: PruneWeightsOptions): readonly ChosenWeight[] {
  const isShare = sparsityRuleOf(options.pattern ?? 'unstructured').kind === 'share';
  if (isShare && (ratio !== undefined || Object.keys(ratios).length > 0)) {
    throw new ModelwrightError(
      'invalid-argument',
      `pattern '${options.pattern}' says the ratio itself; give no other`,
      {
        given: { pattern: options.pattern, ratio, ratios },
      },
    );
  }
  if (ratio !== undefined) requireRatio(ratio, model.name);
  const weights = prunableWeights(model, options);
  for (const name of Object.keys(ratios)) requireMeaning(model, name, weights);
  const chosen = weights.flatMap((weight) => {
    // The longest name that means the weight is about it most of all.
    const [named] = Object.keys(ratios)
      .filter((name) => isMeant(name, weight.names))
      .sort((a, b) => b.length - a.length);
    const own = isShare ? 0 : named === undefined ? ratio : ratios[named];
    return own === undefined ? [] : [{ weight, ratio: own }];
  });
  if (chosen.length > 0) return chosen;
  throw new ModelwrightError(
    'invalid-argument',
    `nothing of model '${model.name}' would be pruned: give a ratio, ratios by name or a pattern such as '2:4', and select ` +
      'weights that it has',
    { given: { ratio, ratios, ...options }, allowed: prunableWeights(model).map(({ name }) => name) },
  );
}
