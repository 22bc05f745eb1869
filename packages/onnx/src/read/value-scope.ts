import type { Value } from '@modelwright/core';
import { invalidModel } from './file-context.js';

/** Values of a graph by their names in the file; a subgraph sees those of the graphs around it. */
export class ValueScope {
  readonly #values: Map<string, Value> = new Map();
  readonly #outer: ValueScope | undefined;

  constructor(outer?: ValueScope) {
    this.#outer = outer;
  }

  /** @throws {@link ModelwrightError} `invalid-model` if the graph defines the name already. */
  define(name: string, value: Value): void {
    if (this.#values.has(name)) throw invalidModel(`the value '${name}' is defined twice`, { input: name });
    this.#values.set(name, value);
  }

  find(name: string): Value | undefined {
    return this.#values.get(name) ?? this.#outer?.find(name);
  }

  hasOwn(name: string): boolean {
    return this.#values.has(name);
  }

  /** @throws {@link ModelwrightError} `invalid-model` if no node, input or constant defines the name. */
  get(name: string): Value {
    const value = this.find(name);
    if (value !== undefined) return value;
    throw invalidModel(`the value '${name}' is read, but nothing in the file defines it`, { input: name });
  }
}
