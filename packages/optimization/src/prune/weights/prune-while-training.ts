import type { Model } from '@modelwright/core';
import type { Train } from '../../pipeline/fine-tune.js';
import type { OptimizationStep } from '../../step.js';
import { withGraph } from '../../with-graph.js';
import { magnitudePruning } from './magnitude-pruning.js';
import { movementPruning } from './movement-pruning.js';
import { prunedResult } from './pruned-result.js';
import type { TrainedPruningOptions } from './scheduled-pruning.js';
import { stripPruning } from './strip-pruning.js';

export interface PruneWhileTrainingOptions extends TrainedPruningOptions {
  /** What says which weights matter: {@link magnitudePruning} or {@link movementPruning}. Default `magnitude`. */
  readonly importance?: 'magnitude' | 'movement';
}

/**
 * The step of `optimize` that trains on and prunes meanwhile; later steps keep the zeros.
 *
 * @param train - Trains the model that it is given, with `context.extensions`: as {@link fineTune} takes it.
 * @example
 * pruneWhileTraining(async (model, { backend, extensions }) => {
 *   const trainer = await createTrainer(model, { backend, extensions, loss: 'sparseCategoricalCrossentropy' });
 *   await trainer.fit(digits, { epochs: 4 });
 *   await trainer.dispose();
 * }, { schedule: polynomialSparsity({ final: 0.8, end: 1500 }) });
 */
export function pruneWhileTraining(train: Train, options: PruneWhileTrainingOptions): OptimizationStep {
  const { importance = 'magnitude', ...pruning } = options;
  const extension = importance === 'movement' ? movementPruning(pruning) : magnitudePruning(pruning);
  return {
    name: `prune while training, by ${importance}`,
    trains: true,
    async apply(model, context) {
      const extensions = [...context.extensions, extension];
      // Training may be in place.
      const before = withGraph(model, model.graph);
      const trained = await train(model, { ...context, extensions });
      return prunedResult(before, stripPruning((trained ?? model) as Model), context);
    },
  };
}
