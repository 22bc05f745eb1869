import { type Graph, ModelwrightError, type Value } from '@modelwright/core';

/** Names of a graph's values in the file: unique, and those of inputs and outputs as callers see them. */
export class ValueNames {
  readonly #names: Map<Value, string> = new Map();
  readonly #used: Set<string>;
  readonly #outer: ValueNames | undefined;

  constructor(outer?: ValueNames) {
    this.#outer = outer;
    // One namespace for all nested graphs: ONNX forbids a subgraph to shadow a name around it.
    this.#used = outer === undefined ? new Set() : outer.#used;
  }

  /** Names all values of a graph: first those callers see, then those wanted for weights, then the others. */
  reserve(graph: Graph, wanted: ReadonlyMap<Value, string>): void {
    for (const input of graph.inputs) this.#take(input, input.name);
    const own = new Set(graph.nodes.flatMap((node) => node.outputs));
    for (const { name, value } of graph.outputs) {
      const isOwn = own.has(value) || (graph.constants.has(value) && !wanted.has(value));
      if (isOwn && !this.#names.has(value) && !this.#used.has(name)) this.#take(value, name);
    }
    for (const [value, name] of wanted) if (!this.#used.has(name)) this.#take(value, name);
    // The rest now, so that a subgraph finds the name of what it captures instead of giving one of its own.
    for (const value of [...graph.constants.keys(), ...own]) this.of(value);
  }

  /** The name of a value; one that is no value of the graph itself gets it on first use. */
  of(value: Value): string {
    return this.#find(value) ?? this.#take(value, this.fresh(value.name));
  }

  /** A name nobody uses, `hint` if it is free. */
  fresh(hint: string): string {
    const base = hint === '' ? 'value' : hint;
    let name = base;
    for (let count = 1; this.#used.has(name); count++) name = `${base}_${count}`;
    return name;
  }

  /** Takes a name for something that is no value of the graph. */
  claim(name: string): string {
    this.#used.add(name);
    return name;
  }

  #find(value: Value): string | undefined {
    return this.#names.get(value) ?? (this.#outer === undefined ? undefined : this.#outer.#find(value));
  }

  #take(value: Value, name: string): string {
    if (this.#used.has(name)) {
      throw new ModelwrightError('invalid-graph', `the name '${name}' is used for two values of one graph`, {
        given: name,
      });
    }
    this.#names.set(value, name);
    this.#used.add(name);
    return name;
  }
}
