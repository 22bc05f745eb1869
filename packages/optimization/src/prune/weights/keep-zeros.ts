import { type ExtensionSlot, type Model, type TrainingExtension, toNumbers } from '@modelwright/core';
import type { LayerSelection } from '../../quantize/selection.js';
import { keptByMask, maskSlotOf, seenThroughMask, trainableWeights } from './mask-extension.js';

export interface KeepZerosOptions extends LayerSelection {
  /** Tells state apart where several such extensions train together. Default `keepZeros`. */
  readonly name?: string;
}

/**
 * Keeps what is zero: weights of the model that training begins with stay zero, whatever else training does to them
 * (fine-tuning, fake quantization, clustering).
 *
 * @example
 * const trainer = await createTrainer(pruneWeights(model, { ratio: 0.8 }), { backend, loss, extensions: [keepZeros()] });
 */
export function keepZeros({ name = 'keepZeros', ...selection }: KeepZerosOptions = {}): TrainingExtension {
  // Zeros are those of the beginning: a program that is built later has the same slots.
  const known = new WeakMap<Model, { readonly trainable: string; readonly slots: readonly ExtensionSlot[] }>();
  return {
    name,
    slotsFor(model) {
      const weights = trainableWeights(model, selection);
      const trainable = weights.map((each) => each.name).join('\n');
      const before = known.get(model);
      if (before?.trainable === trainable) return before.slots;
      const slots = weights.flatMap((each) => {
        const mask = Uint8Array.from(toNumbers(each.weight), (element) => (element === 0 ? 0 : 1));
        // A weight without any other number was not pruned: it begins at zero.
        return mask.includes(0) && mask.includes(1) ? [maskSlotOf(each, mask)] : [];
      });
      known.set(model, { trainable, slots });
      return slots;
    },
    transformWeight: seenThroughMask,
    transformUpdate: keptByMask,
    transformAverage: keptByMask,
  };
}
