import { Model } from '@modelwright/core';
import type { OptimizationContext, OptimizationStep } from '../step.js';

/**
 * Trains a model: in place, or by giving back another {@link Model}. `context.extensions` hold what earlier steps want kept
 * (masks of pruned weights, say) and go to `createTrainer`, as does `context.backend`.
 */
export type Train = (model: Model, context: OptimizationContext) => unknown;

/**
 * A step that trains the model on: what pruning or quantization took away comes back within a few epochs.
 *
 * @param train - Trains the copy that it is given. The package `modelwright` has a form of this step that takes data and
 *   options in place of a function.
 * @example
 * fineTune(async (model, { backend, extensions }) => {
 *   const trainer = await createTrainer(model, { backend, extensions, loss: 'sparseCategoricalCrossentropy' });
 *   await trainer.fit(digits, { epochs: 2 });
 *   await trainer.dispose();
 * });
 */
export function fineTune(train: Train, options: { readonly name?: string } = {}): OptimizationStep {
  return {
    name: options.name ?? 'fine-tune',
    trains: true,
    async apply(model, context) {
      const trained = await train(model, context);
      return { model: trained instanceof Model ? trained : model };
    },
  };
}
