import { type Model, type Tensor, tensor, toNumbers } from '@modelwright/core';
import { adapterOf, factorNames, loraRecord, scaleName } from './adapter-record.js';

/**
 * Switches adapters of a model: those named count and are trained, the others do neither. The model itself is changed, as by
 * `setWeights`; without names it computes what it did before it had adapters.
 *
 * @throws {@link ModelwrightError} `invalid-argument` naming the adapters that there are.
 * @example
 * activateLora(model, 'french');
 */
export function activateLora(model: Model, ...names: readonly string[]): void {
  const wanted = new Set(names.map((name) => adapterOf(model, name).name));
  const scales: { [name: string]: Tensor } = {};
  for (const { name, alpha, rank, weights } of loraRecord(model).adapters) {
    const active = wanted.has(name);
    scales[scaleName(name)] = tensor(active ? alpha / rank : 0, { dtype: 'float32', shape: [] });
    for (const { weight } of weights)
      for (const factor of Object.values(factorNames(weight, name))) model.setTrainable(factor, active);
  }
  model.setWeights(scales);
}

/** Names of the adapters that a model has, and of those that are switched on. */
export function loraAdapters(model: Model): { readonly all: readonly string[]; readonly active: readonly string[] } {
  const all = loraRecord(model).adapters.map(({ name }) => name);
  const weights = model.getWeights();
  const active = all.filter((name) => toNumbers(weights[scaleName(name)] as Tensor)[0] !== 0);
  return { all, active };
}
