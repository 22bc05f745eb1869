import { Model, ModelwrightError } from '@modelwright/core';
import { short } from '../../report/format.js';
import type { OptimizationContext, OptimizationStep } from '../../step.js';
import { type PruneWeightsOptions, pruneLayers, pruneOnce } from './prune-once.js';
import { prunedResult } from './pruned-result.js';
import { type SensitivityScanOptions, scanSensitivity } from './scan-sensitivity.js';

/** How `optimize` prunes: with ratios that are given, or that a scan finds. */
export interface PruneWeightsStepOptions extends PruneWeightsOptions {
  /**
   * In place of ratios: find them layer by layer ({@link scanSensitivity}) so that the model gets at most this much worse
   * before any further training, in what `evaluate` counts.
   */
  readonly maxLoss?: number;
}

/**
 * Makes the smallest weights zero, at once. Accuracy comes back by training on with {@link keepZeros}; {@link magnitudePruning}
 * loses less of it.
 *
 * The model keeps its shapes, and a runtime its speed: what gets smaller is the compressed file.
 *
 * @returns a new model; given options alone, the step of `optimize` that does so and keeps the zeros in what follows.
 * @throws {@link ModelwrightError} `invalid-argument` for ratios out of range, an unknown pattern, names that mean no weight, and
 *   when there is nothing to prune.
 * @see Han et al., arXiv:1506.02626; for `2:4` Mishra et al., arXiv:2104.08378.
 * @example
 * const sparse = pruneWeights(model, { ratio: 0.8, exclude: ['predictions'] });
 * const structured = pruneWeights(model, { pattern: '2:4' });
 */
export function pruneWeights(model: Model, options: PruneWeightsOptions): Model;
export function pruneWeights(options: PruneWeightsStepOptions): OptimizationStep;
export function pruneWeights(
  modelOrOptions: Model | PruneWeightsStepOptions,
  options?: PruneWeightsOptions,
): Model | OptimizationStep {
  return modelOrOptions instanceof Model
    ? pruneOnce(modelOrOptions, options as PruneWeightsOptions)
    : pruningStep(modelOrOptions);
}

function pruningStep(options: PruneWeightsStepOptions): OptimizationStep {
  const { maxLoss, ...given } = options;
  if (maxLoss !== undefined && (given.ratio !== undefined || given.ratios !== undefined)) {
    const message = 'pruneWeights takes ratios or maxLoss, which finds them; both were given';
    throw new ModelwrightError('invalid-argument', message, { given: options });
  }
  return {
    name: `pruneWeights ${whatIsPruned(options)}`,
    async apply(model, context) {
      if (maxLoss === undefined) return prunedResult(model, pruneOnce(model, given), context);
      const { ratios: _, ratio: __, ...selection } = given;
      const { proposal } = await scanSensitivity(model, { ...selection, ...scanningIn(context), maxLoss });
      if (Object.keys(proposal.ratios).length === 0) {
        return { model, notes: [`no weight was pruned: each would have cost more than ${maxLoss}`] };
      }
      const result = await prunedResult(model, pruneLayers(model, proposal.ratios, given), context);
      const found = `ratios found by a scan; together they cost ${short(proposal.loss)} before any further training`;
      return { ...result, notes: [...(result.notes ?? []), found] };
    },
  };
}

function scanningIn({ backend, evaluate, calibration, progress, signal }: OptimizationContext): SensitivityScanOptions {
  return {
    backend,
    ...(evaluate === undefined ? {} : { evaluate }),
    ...(calibration === undefined ? {} : { calibration }),
    ...(progress === undefined ? {} : { progress }),
    ...(signal === undefined ? {} : { signal }),
  };
}

function whatIsPruned({ pattern = 'unstructured', ratio, maxLoss }: PruneWeightsStepOptions): string {
  const share = ratio === undefined ? [] : [`${Math.round(ratio * 100)} %`];
  const budget = maxLoss === undefined ? [] : [`within ${maxLoss}`];
  return [...share, ...budget, ...(pattern === 'unstructured' ? [] : [pattern])].join(', ') || 'by layer';
}
