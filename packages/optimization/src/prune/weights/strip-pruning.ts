import { type Model, toNumbers } from '@modelwright/core';
import { masked } from './mask-extension.js';
import { prunableWeights } from './prunable-weights.js';
import { withConstants } from './prune-once.js';

/**
 * The model as it is delivered after pruning. Pruning here leaves nothing behind but zeros (masks are state of the
 * training, the model is plain at any time), so all that is left to do is to write each −0, whose bits do not compress, as 0.
 */
export function stripPruning(model: Model): Model {
  return withConstants(
    model,
    new Map(
      prunableWeights(model).map(({ value, weight }) => {
        const mask = Uint8Array.from(toNumbers(weight), (element) => (element === 0 ? 0 : 1));
        return [value, mask.includes(0) ? masked(weight, mask) : weight];
      }),
    ),
  );
}
