import type { Program, StateSlot, Tensor, TensorMap, Value } from '@modelwright/core';
import { hostFeeds, numberTensor, type ReadNumber } from './host-feeds.js';
import type { ResidencyPlan } from './residency-plan.js';

/** What the host knows of one step. */
export interface HostStep {
  /** @returns an input of the device's step that is not its state. */
  feed(name: string): Tensor;
  /** @returns a number, an input of the caller, a constant, or a slot of the host as it was before the step. */
  known(value: Value): Tensor;
}

/** The host's share of steps in a row, computed ahead of the device: nothing of it depends on what the device makes. */
export class HostShare {
  readonly #plan: ResidencyPlan;
  readonly #constants: ReadonlyMap<Value, Tensor>;
  readonly #slotOf: ReadonlyMap<string, StateSlot>;
  readonly #numbers: ReadonlySet<Value>;
  #held: ReadonlyMap<string, Tensor>;

  /** @param held - slots by name, as they are before the first step. */
  constructor(program: Program, plan: ResidencyPlan, held: ReadonlyMap<string, Tensor>) {
    this.#plan = plan;
    this.#held = held;
    this.#constants = program.graph.constants;
    this.#slotOf = new Map(program.state.map((slot) => [slot.input, slot]));
    this.#numbers = new Set(plan.fetched.flatMap(({ value, from }) => (from === 'number' ? [value] : [])));
  }

  /** A slot that the host computes, after the steps so far. */
  held(name: string): Tensor {
    return this.#held.get(name) as Tensor;
  }

  /** Takes the next step. */
  step(given: TensorMap): HostStep {
    const before = this.#held;
    const find = (name: string): Tensor | undefined => {
      const slot = this.#slotOf.get(name);
      return slot === undefined ? given[name] : before.get(slot.name);
    };
    const tensorOf = (value: Value): Tensor => (find(value.name) ?? this.#constants.get(value)) as Tensor;
    const numbers = this.#plan.scalars.evaluate((value) => Number(tensorOf(value).data[0]));
    this.#advance(tensorOf, numbers);
    const feeds = hostFeeds(this.#plan, given, numbers);
    return {
      feed: (name) => (feeds.get(name) ?? find(name)) as Tensor,
      known: (value) => (this.#numbers.has(value) ? numberTensor(value, numbers(value)) : tensorOf(value)),
    };
  }

  #advance(tensorOf: (value: Value) => Tensor, numbers: ReadNumber): void {
    const after = new Map(this.#held);
    for (const { slot, value } of this.#plan.copiedSlots) after.set(slot.name, tensorOf(value));
    for (const { slot, value } of this.#plan.numberSlots) after.set(slot.name, numberTensor(value, numbers(value)));
    this.#held = after;
  }
}
