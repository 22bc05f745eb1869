import {
  type ExtendedWeight,
  type ExtensionSlot,
  fromNumbers,
  type Model,
  type Tensor,
  toNumbers,
  type Value,
} from '@modelwright/core';
import { type PrunableWeight, prunableWeights, type WeightSelection } from './prunable-weights.js';

/** Name of the slot that holds a weight's mask: 1 where it is kept, 0 where it is zero. */
export const maskSlot = (weight: string): string => `mask.${weight}`;

/** Name of an extension's slot among those of a training program. */
export const programSlot = (extension: string, slot: string): string => `extension.${extension}.${slot}`;

/** The selected weights of a model that training changes. */
export function trainableWeights(model: Model, selection: WeightSelection): readonly PrunableWeight[] {
  const trainable = new Set(model.parameters.flatMap(({ name, trainable }) => (trainable ? [name] : [])));
  return prunableWeights(model, selection).filter(({ name }) => trainable.has(name));
}

/** The slot of a weight's mask, and what it holds at first. */
export function maskSlotOf({ name, weight }: PrunableWeight, mask: Uint8Array): ExtensionSlot {
  return { name: maskSlot(name), initial: fromNumbers(weight.dtype, weight.shape, mask) };
}

/** What the forward pass sees: gradients of what is masked are zero. */
export function seenThroughMask({ builder, parameter, value, slots }: ExtendedWeight): Value {
  const mask = slots[maskSlot(parameter.name)];
  return mask === undefined ? value : builder.op('Mul', [value, mask]);
}

/** What is kept of a weight: exactly 0 (and never −0, which would not compress) where the mask is. */
export function keptByMask({ builder, parameter, value, slots }: ExtendedWeight): Value {
  const mask = slots[maskSlot(parameter.name)];
  if (mask === undefined) return value;
  const zero = builder.scalar(0, value.dtype);
  return builder.op('Where', [builder.op('Greater', [mask, zero]), value, zero]);
}

/** `weight` with exact zeros where `mask` is zero. */
export function masked(weight: Tensor, mask: ArrayLike<number>): Tensor {
  return fromNumbers(
    weight.dtype,
    weight.shape,
    toNumbers(weight).map((each, at) => (mask[at] === 0 ? 0 : each)),
  );
}
