import {
  GraphBuilder,
  ModelwrightError,
  type Program,
  runPasses,
  type StateSlot,
  type Tensor,
  type Value,
} from '@modelwright/core';
import { Arithmetic } from '../symbolic/arithmetic.js';
import { nextName, stateInput, tidyingPasses } from './forward-graph.js';

/** A graph under construction with the state it carries. */
export class StatefulBuilder {
  readonly builder: GraphBuilder;
  readonly arithmetic: Arithmetic;
  readonly #slots: Map<string, { readonly value: Value; readonly initial: Tensor; changes: boolean }> = new Map();

  constructor(name: string) {
    this.builder = new GraphBuilder(name);
    this.arithmetic = new Arithmetic(this.builder);
  }

  /** Adds a slot and returns its present value. */
  slot(name: string, initial: Tensor): Value {
    const value = this.builder.input(stateInput(name), initial.dtype, initial.shape);
    this.#slots.set(name, { value, initial, changes: false });
    return value;
  }

  /** Says what a slot becomes. */
  next(name: string, value: Value): void {
    const slot = this.#slots.get(name);
    if (slot === undefined) throw new ModelwrightError('invalid-graph', `there is no state '${name}'`, { given: name });
    slot.changes = true;
    this.builder.output(nextName(name), value);
  }

  /** The finished program: tidied, with its state. */
  program(): Program {
    const state = [...this.#slots].map(
      ([name, { initial, changes }]): StateSlot => ({
        name,
        input: stateInput(name),
        initial,
        ...(changes ? { output: nextName(name) } : {}),
      }),
    );
    return { graph: runPasses(this.builder.build(), tidyingPasses), state };
  }
}
