import { ModelwrightError } from '@modelwright/core';
import type { Layer } from '../layer.js';

/** Names of a model's layers: those the user gave, else the kind, numbered as they were made: `dense`, `dense_1`, … */
export class UniqueNames {
  readonly #names: Map<Layer, string> = new Map();

  /**
   * @throws {@link ModelwrightError} `invalid-argument` when two layers were given one name.
   */
  constructor(layers: readonly Layer[]) {
    const taken = new Set<string>();
    for (const layer of layers) {
      const { name } = layer.definition.options;
      if (name === undefined) continue;
      if (taken.has(name)) {
        throw new ModelwrightError('invalid-argument', `two layers of the model are named '${name}'`, {
          layer: name,
          given: name,
        });
      }
      taken.add(name);
      this.#names.set(layer, name);
    }
    const unnamed = layers.filter((layer) => !this.#names.has(layer)).sort((a, b) => a.serial - b.serial);
    for (const layer of unnamed) {
      const { kind } = layer.definition;
      let name = kind;
      for (let count = 1; taken.has(name); count++) name = `${kind}_${count}`;
      taken.add(name);
      this.#names.set(layer, name);
    }
  }

  of(layer: Layer): string {
    return this.#names.get(layer) as string;
  }
}
