import type { Value } from '@modelwright/core';
import { invalidModel } from './file-context.js';

/** Values of a graph by their names in the file; a subgraph sees those of the graphs around it. */
export class ValueScope {
  readonly #values: Map<string, Value> = new Map();
  readonly #guessed: Set<Value>;
  readonly #outer: ValueScope | undefined;

  constructor(outer?: ValueScope) {
    this.#outer = outer;
    this.#guessed = outer === undefined ? new Set() : outer.#guessed;
  }

  /** @throws {@link ModelwrightError} `invalid-model` if the graph defines the name already. */
  define(name: string, value: Value): void {
    if (this.#values.has(name)) throw invalidModel(`the value '${name}' is defined twice`, { input: name });
    this.#values.set(name, value);
  }

  /** Marks a value whose type nothing in the file tells: the output of an unknown op. */
  markGuessed(value: Value): void {
    this.#guessed.add(value);
  }

  isGuessed(value: Value): boolean {
    return this.#guessed.has(value);
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
