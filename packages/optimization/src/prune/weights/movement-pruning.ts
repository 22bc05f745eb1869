import { type Tensor, type TrainingExtension, toNumbers, type Value, zeros } from '@modelwright/core';
import { maskSlot } from './mask-extension.js';
import { type Ranking, scheduledPruning, type TrainedPruningOptions } from './scheduled-pruning.js';

const scoreSlot = (weight: string): string => `score.${weight}`;
const wholeSlot = (weight: string): string => `whole.${weight}`;

/**
 * Makes those weights zero that training moves towards zero, and keeps those that it moves away: what fine-tuning of a
 * pretrained model needs, where large weights need not be those that matter for the new task.
 *
 * `S ← S − W·∂L/∂W′`, `W′ = W ⊙ M`, `M` = the elements of the largest `S`
 *
 * Scores learn straight through the mask, those of masked weights too, so that a weight can come back: with the value it
 * had. As long as nothing has moved, magnitudes decide. Masks, scores and masked values are state of the training program, which checkpoints keep.
 *
 * @throws {@link ModelwrightError} `invalid-argument` as {@link magnitudePruning}.
 * @see Sanh, Wolf and Rush, arXiv:2005.07683, §3.
 */
export function movementPruning(options: TrainedPruningOptions): TrainingExtension {
  return scheduledPruning(options, movement);
}

const movement: Ranking = {
  name: 'movementPruning',
  slotsOf: ({ name, weight }) => [
    { name: scoreSlot(name), initial: zeros(weight.dtype, weight.shape) },
    { name: wholeSlot(name), initial: weight },
  ],
  remember({ builder, parameter, value, gradient, slots, setSlot }) {
    const [mask, score, whole] = [maskSlot, scoreSlot, wholeSlot].map((slot) => slots[slot(parameter.name)] as Value);
    const moved = builder.op('Mul', [whole, gradient]);
    setSlot(scoreSlot(parameter.name), builder.op('Sub', [score, moved]));
    const kept = builder.op('Greater', [mask, builder.scalar(0, value.dtype)]);
    setSlot(wholeSlot(parameter.name), builder.op('Where', [kept, value, whole]));
  },
  reads: (weight) => [scoreSlot(weight), wholeSlot(weight)],
  rank(_, slots, name) {
    const [scores, whole] = [toNumbers(slots[scoreSlot(name)] as Tensor), slots[wholeSlot(name)] as Tensor];
    const hasMoved = scores.some((score) => score !== 0);
    return { importance: hasMoved ? scores : toNumbers(whole).map(Math.abs), whole };
  },
};
