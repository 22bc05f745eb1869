import { type Model, type Parameter, type Tensor, toNumbers } from '@modelwright/core';
import { factorNames, loraRecord, scaleName } from './adapter-record.js';
import { mergedWeight } from './factors.js';
import { removeLora } from './remove-lora.js';

/**
 * Puts what the adapters have learnt into the weights: `W ← W + alpha / rank · A · B`. The result computes what the adapted model
 * did, at the cost of the model without adapters, and is trained as that was. Adapters that are switched off are left out.
 */
export function mergeLora(model: Model): Model {
  const weights = model.getWeights();
  const merged: { [name: string]: Tensor } = {};
  for (const { name, weights: targets } of loraRecord(model).adapters) {
    const [scale = 0] = toNumbers(weights[scaleName(name)] as Tensor);
    if (scale === 0) continue;
    for (const target of targets) {
      const names = factorNames(target.weight, name);
      const factors = { a: weights[names.a] as Tensor, b: weights[names.b] as Tensor };
      const before = merged[target.weight] ?? (weights[target.weight] as Tensor);
      merged[target.weight] = mergedWeight(before, factors, { target, scale });
    }
  }
  const plain = removeLora(model);
  plain.setWeights(merged);
  return plain;
}

/** How many of a model's weights training changes. */
export interface TrainableShare {
  readonly trainable: number;
  readonly total: number;
  /** 0…1 */
  readonly share: number;
}

/** Counts the weights that training changes among all: `0.6 %` of them, say, where a model has adapters. */
export function trainableShare(model: Model): TrainableShare {
  const count = (parameters: readonly Parameter[]): number =>
    parameters.reduce((sum, parameter) => sum + model.weightOf(parameter).elementCount, 0);
  const trainable = count(model.parameters.filter((each) => each.trainable && each.role === 'weight'));
  const total = count(model.parameters);
  return { trainable, total, share: trainable / total };
}
