import type { TrainingExtension } from '@modelwright/core';
import { magnitude, scheduledPruning, type TrainedPruningOptions } from './scheduled-pruning.js';

/**
 * Makes the smallest weights zero while a model is trained, as many as a schedule says, so that the others learn to do
 * without them.
 *
 * Masks are state of the training program: checkpoints keep them, gradients of masked weights are zero, and weights are
 * exactly zero after every step, in the model that training gives back as in its moving averages.
 *
 * @throws {@link ModelwrightError} `invalid-argument` for an unknown pattern, and when training begins for names that mean no weight.
 * @see Zhu and Gupta, arXiv:1710.01878.
 * @example
 * const pruning = magnitudePruning({ schedule: polynomialSparsity({ final: 0.8, end: 2000 }) });
 * const trainer = await createTrainer(model, { backend, loss, extensions: [pruning] });
 */
export function magnitudePruning(options: TrainedPruningOptions): TrainingExtension {
  return scheduledPruning(options, magnitude);
}
