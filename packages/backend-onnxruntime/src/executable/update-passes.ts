import type { Value } from '@modelwright/core';
import type { HostMemory, Region } from '../memory/host-memory.js';
import type { StateStore } from '../memory/state-store.js';
import type { RandomFill } from '../split/random-plan.js';
import type { ArrayReference, UpdatePass } from '../split/update-plan.js';
import { compileLoop } from '../wasm/compile-loop.js';
import { counterKey, counterUniformFunction } from '../wasm/counter-uniform.js';
import { encodeModule, type WasmFunction } from '../wasm/encode-module.js';
import { kernelSignature } from '../wasm/loop-kernel.js';
import { instantiate, maximumPages, type WasmExports } from '../wasm/web-assembly.js';

/** Elements between two looks at the clock. */
const chunkElements = 2 ** 18;
/** How long passes may hold the event loop. */
const holdMilliseconds = 8;
const randomFunction = 'counterUniform';

/** Where a pass finds memory that is no state slot. */
export type FindRegion = (value: Value) => Region;

interface BoundPass {
  readonly name: string;
  readonly pass: UpdatePass;
  readonly scalars: Region | undefined;
}

/** The passes of one executable, compiled to one WebAssembly module over its memory. */
export class UpdatePasses {
  readonly #exports: WasmExports;
  readonly #passes: readonly BoundPass[];
  readonly #store: StateStore;
  readonly #find: FindRegion;

  private constructor(exports: WasmExports, passes: readonly BoundPass[], context: PassContext) {
    this.#exports = exports;
    this.#passes = passes;
    this.#store = context.store;
    this.#find = context.find;
  }

  /** Compiles one function for all passes of equal form. */
  static async compile(passes: readonly UpdatePass[], context: PassContext): Promise<UpdatePasses> {
    const functions = new Map<string, WasmFunction>();
    const bound = passes.map((pass): BoundPass => {
      const signature = kernelSignature(pass.kernel);
      const name = functions.get(signature)?.name ?? `pass${functions.size}`;
      if (!functions.has(signature)) functions.set(signature, compileLoop(name, pass.kernel));
      return { name, pass, scalars: allocateScalars(pass, context.store.memory) };
    });
    const all = [...functions.values(), counterUniformFunction(randomFunction)];
    const { wasm } = context.store.memory;
    const exports =
      wasm === undefined ? {} : await instantiate(encodeModule(all, { minimum: 1, maximum: maximumPages }), wasm);
    return new UpdatePasses(exports, bound, context);
  }

  /** Writes uniform numbers; `read` gives the counter's value. */
  fill(random: readonly RandomFill[], read: (value: Value) => number): void {
    for (const { value, counter, seed, count } of random) {
      const key = counterKey(seed, read(counter)) | 0;
      this.#call(randomFunction, [this.#find(value).offset, key, count]);
    }
  }

  /** Runs every pass; gives the event loop a turn when that takes long. */
  async run(read: (value: Value) => number): Promise<void> {
    let start = performance.now();
    for (const bound of this.#passes) {
      writeScalars(bound, read);
      const offsets = bound.pass.arrays.map((array) => this.#region(array).offset);
      const scalars = bound.scalars?.offset ?? 0;
      for (let done = 0; done < bound.pass.count; done += chunkElements) {
        if (performance.now() - start > holdMilliseconds) {
          await nextTurn();
          start = performance.now();
        }
        const count = Math.min(chunkElements, bound.pass.count - done);
        this.#call(bound.name, [...offsets.map((offset) => offset + 4 * done), scalars, count]);
      }
    }
  }

  #call(name: string, parameters: readonly number[]): void {
    (this.#exports[name] as NonNullable<WasmExports[string]>)(...parameters);
  }

  #region(reference: ArrayReference): Region {
    return reference.kind === 'state' ? this.#store.slot(reference.slot.name).current : this.#find(reference.value);
  }
}

/** Lets the event loop do other work; a browser has no `setImmediate`. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === 'function') setImmediate(resolve);
    else setTimeout(resolve, 0);
  });
}

/** What passes work on. */
export interface PassContext {
  readonly store: StateStore;
  readonly find: FindRegion;
}

function allocateScalars(pass: UpdatePass, memory: HostMemory): Region | undefined {
  const count = pass.scalars.length;
  return count === 0 ? undefined : memory.allocate({ dtype: 'float32', shape: [count] });
}

function writeScalars({ pass, scalars }: BoundPass, read: (value: Value) => number): void {
  if (scalars === undefined) return;
  const numbers = scalars.tensor.data as Float32Array;
  const bits = new Int32Array(numbers.buffer, numbers.byteOffset, numbers.length);
  // A truth is a mask over all bits of its lane.
  for (const [index, value] of pass.scalars.entries())
    if (value.dtype === 'bool') bits[index] = -read(value);
    else numbers[index] = read(value);
}
