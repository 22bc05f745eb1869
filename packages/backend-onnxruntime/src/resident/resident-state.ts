import { ModelwrightError, type StateSlot, sameShape, Tensor, type TensorMap } from '@modelwright/core';
import { type Accelerator, isOnDevice, type Placed } from './accelerator.js';

/** The carried state of one executable, or of several that share it: each slot in host or device memory, wherever it was used last. */
export class ResidentState {
  readonly #accelerator: Accelerator;
  readonly #slots = new Map<string, { initial: Tensor; value: Placed }>();
  #users = 0;

  constructor(accelerator: Accelerator) {
    this.#accelerator = accelerator;
  }

  /** Counts an executable in; a slot that is known already keeps its value. */
  attach(slots: readonly StateSlot[]): void {
    for (const { name, initial } of slots) {
      const known = this.#slots.get(name);
      if (known !== undefined) requireSameType(name, known.initial, initial);
    }
    for (const { name, initial } of slots)
      if (!this.#slots.has(name)) this.#slots.set(name, { initial, value: copyOf(initial) });
    this.#users += 1;
  }

  /** Counts an executable out; the last one frees the memory. */
  detach(): void {
    this.#users -= 1;
    if (this.#users > 0) return;
    for (const { value } of this.#slots.values()) free(value);
    this.#slots.clear();
  }

  /** Where the slot lies now. */
  placed(name: string): Placed {
    return this.#slot(name).value;
  }

  /** The slot on the device where that can hold it, brought there if need be. */
  async onDevice(name: string): Promise<Placed> {
    const slot = this.#slot(name);
    if (isOnDevice(slot.value) || !this.#accelerator.canHold(slot.initial)) return slot.value;
    slot.value = await this.#accelerator.upload(slot.value);
    return slot.value;
  }

  /** The slot's content in host memory; not a copy where it lies there already. */
  async onHost(name: string): Promise<Tensor> {
    const { value } = this.#slot(name);
    return isOnDevice(value) ? this.#accelerator.download(value) : value;
  }

  /** Replaces a slot's content; what it held is freed. */
  replace(name: string, value: Placed): void {
    const slot = this.#slot(name);
    if (slot.value === value) return;
    free(slot.value);
    slot.value = value;
  }

  async read(names: readonly string[]): Promise<TensorMap> {
    const read: { [name: string]: Tensor } = {};
    for (const name of names) {
      const { value } = this.#slot(name);
      read[name] = isOnDevice(value) ? await this.#accelerator.download(value) : copyOf(value);
    }
    return read;
  }

  /** Writes all or, if one does not fit, none. */
  write(values: TensorMap): void {
    for (const [name, value] of Object.entries(values)) requireSameType(name, this.#slot(name).initial, value);
    for (const [name, value] of Object.entries(values)) this.replace(name, copyOf(value));
  }

  #slot(name: string): { initial: Tensor; value: Placed } {
    const found = this.#slots.get(name);
    if (found !== undefined) return found;
    const allowed = [...this.#slots.keys()];
    const message = `there is no state '${name}'; there is: ${allowed.join(', ') || 'none'}`;
    throw new ModelwrightError('invalid-argument', message, { given: name, allowed });
  }
}

/** @returns the same elements in memory of their own. */
export function copyOf({ dtype, shape, data }: Tensor): Tensor {
  return new Tensor(dtype, shape, data.slice() as Tensor['data']);
}

function free(value: Placed): void {
  if (isOnDevice(value)) value.dispose();
}

function requireSameType(name: string, slot: Tensor, value: Tensor): void {
  if (slot.dtype === value.dtype && sameShape(slot.shape, value.shape)) return;
  throw new ModelwrightError(
    slot.dtype === value.dtype ? 'shape-mismatch' : 'dtype-mismatch',
    `state '${name}' is ${slot.dtype}[${slot.shape}], but ${value.dtype}[${value.shape}] was given`,
    { given: value.shape, allowed: slot.shape },
  );
}
