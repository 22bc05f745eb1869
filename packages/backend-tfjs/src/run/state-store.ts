import { ModelwrightError, RunQueue, type StateSlot, sameShape, Tensor, type TensorMap } from '@modelwright/core';
import { Held } from '../device/held.js';
import type { Kernels } from '../device/kernels.js';

/** State of one or several executables, on the device between runs. */
export class StateStore {
  readonly queue: RunQueue = new RunQueue();
  readonly #kernels: Kernels;
  readonly #values = new Map<string, Held>();
  #users = 0;

  constructor(kernels: Kernels) {
    this.#kernels = kernels;
  }

  /** Takes in slots that are not there yet. */
  attach(slots: readonly StateSlot[]): void {
    this.#users++;
    for (const { name, initial } of slots) {
      if (this.#values.has(name)) continue;
      const held = new Held(this.#kernels, initial.dtype, initial);
      this.#values.set(name, held);
    }
  }

  /** Frees the state when the last executable has left. */
  detach(): void {
    if (--this.#users > 0) return;
    for (const held of this.#values.values()) held.release();
    this.#values.clear();
  }

  get(name: string): Held {
    const held = this.#values.get(name);
    if (held !== undefined) return held;
    const allowed = [...this.#values.keys()];
    throw new ModelwrightError(
      'invalid-argument',
      `there is no state '${name}'; there is: ${allowed.join(', ') || 'none'}`,
      { given: name, allowed },
    );
  }

  /** Puts in the next value of a slot; takes over the reference. */
  set(name: string, next: Held): void {
    this.#values.get(name)?.release();
    this.#values.set(name, next);
  }

  async read(names: readonly string[]): Promise<TensorMap> {
    const wanted = names.map((name) => [name, this.get(name)] as const);
    return Object.fromEntries(
      await Promise.all(wanted.map(async ([name, held]): Promise<[string, Tensor]> => [name, await held.take()])),
    );
  }

  write(values: TensorMap): void {
    for (const [name, value] of Object.entries(values)) requireSameType(name, this.get(name), value);
    for (const [name, value] of Object.entries(values)) {
      const copy = new Tensor(value.dtype, value.shape, value.data.slice() as Tensor['data']);
      this.set(name, new Held(this.#kernels, value.dtype, copy));
    }
  }
}

function requireSameType(name: string, slot: Held, value: Tensor): void {
  if (slot.dtype === value.dtype && sameShape(slot.shape, value.shape)) return;
  throw new ModelwrightError(
    'shape-mismatch',
    `state '${name}' is ${slot.dtype}[${slot.shape}], but ${value.dtype}[${value.shape}] was given`,
    { given: value.shape, allowed: slot.shape },
  );
}
