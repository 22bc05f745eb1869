import { ModelwrightError, RunQueue, type StateSlot, sameShape, type Tensor, type TensorMap } from '@modelwright/core';
import { type HostMemory, type Region, regionBytes } from './host-memory.js';

/** A slot's memory: what it holds now, and room for what the runtime computes next. */
export class SlotStorage {
  readonly name: string;
  readonly #memory: HostMemory;
  #current: Region;
  #spare: Region | undefined;

  constructor(memory: HostMemory, slot: StateSlot) {
    this.name = slot.name;
    this.#memory = memory;
    this.#current = memory.allocate(slot.initial);
    this.#current.write(slot.initial);
  }

  get current(): Region {
    return this.#current;
  }

  /** A second region of the same type: the runtime must not write what it still reads. */
  get spare(): Region {
    return this.reserveSpare();
  }

  /** Makes room for {@link spare}; slots that are written in place need none. */
  reserveSpare(): Region {
    this.#spare ??= this.#memory.allocate(this.#current.type);
    return this.#spare;
  }

  /** Makes the spare region the current one. */
  swap(): void {
    const next = this.spare;
    this.#spare = this.#current;
    this.#current = next;
  }
}

/** The carried state of one executable, or of several that share it, and the queue their runs stand in. */
export class StateStore {
  readonly memory: HostMemory;
  readonly queue: RunQueue = new RunQueue();
  readonly #slots = new Map<string, SlotStorage>();
  #users = 0;

  constructor(memory: HostMemory) {
    this.memory = memory;
  }

  /** Counts an executable in and gives each of its slots a storage; a slot that is known already keeps its value. */
  attach(slots: readonly StateSlot[]): void {
    const fresh = slots.filter(({ name }) => !this.#slots.has(name));
    this.memory.reserve(fresh.reduce((sum, { initial }) => sum + regionBytes(initial), 0));
    for (const slot of slots) {
      const known = this.#slots.get(slot.name);
      if (known === undefined) this.#slots.set(slot.name, new SlotStorage(this.memory, slot));
      else requireSameType(slot.name, known.current.type, slot.initial);
    }
    this.#users += 1;
  }

  /** Counts an executable out; the last one frees the memory. */
  detach(): void {
    this.#users -= 1;
    if (this.#users === 0) this.memory.dispose();
  }

  /** @throws ModelwrightError `invalid-argument` listing the slots there are. */
  slot(name: string): SlotStorage {
    const found = this.#slots.get(name);
    if (found !== undefined) return found;
    const allowed = [...this.#slots.keys()];
    throw new ModelwrightError(
      'invalid-argument',
      `there is no state '${name}'; there is: ${allowed.join(', ') || 'none'}`,
      {
        given: name,
        allowed,
      },
    );
  }

  read(names: readonly string[]): TensorMap {
    return Object.fromEntries(names.map((name) => [name, this.slot(name).current.read()]));
  }

  /** Writes all or, if one does not fit, none. */
  write(values: TensorMap): void {
    for (const [name, value] of Object.entries(values)) requireSameType(name, this.slot(name).current.type, value);
    for (const [name, value] of Object.entries(values)) this.slot(name).current.write(value);
  }
}

function requireSameType(name: string, slot: Pick<Tensor, 'dtype' | 'shape'>, value: Tensor): void {
  if (slot.dtype === value.dtype && sameShape(slot.shape, value.shape)) return;
  throw new ModelwrightError(
    slot.dtype === value.dtype ? 'shape-mismatch' : 'dtype-mismatch',
    `state '${name}' is ${slot.dtype}[${slot.shape}], but ${value.dtype}[${value.shape}] was given`,
    { given: value.shape, allowed: slot.shape },
  );
}
