import type { Value } from '@modelwright/core';
import type { HostMemory, Region } from '../memory/host-memory.js';
import type { StateStore } from '../memory/state-store.js';
import type { RandomFill } from '../split/random-plan.js';
import type { ArrayReference, UpdatePass } from '../split/update-plan.js';
import { compileLoop } from '../wasm/compile-loop.js';
import { counterKey, counterUniformFunction } from '../wasm/counter-uniform.js';
import { encodeModule, type WasmFunction } from '../wasm/encode-module.js';
import { kernelSignature } from '../wasm/loop-kernel.js';
import {
  type EnlistedModule,
  isTaskSized,
  leastSharedElements,
  type PassTask,
  type PassTeam,
} from '../wasm/pass-team.js';
import { compileModule, instantiate, maximumPages, type WasmExports } from '../wasm/web-assembly.js';

/** Elements of one call: small enough that threads end at about the same time, large enough that calls cost nothing. */
const callElements = 2 ** 15;
/** Calls between two looks at the clock. */
const callsPerLook = 64;
/** How long passes may hold the event loop. */
const holdMilliseconds = 8;
const randomFunction = 'counterUniform';

/** Where a pass finds memory that is no state slot. */
export type FindRegion = (value: Value) => Region;

interface BoundPass {
  /** Position of its function. */
  readonly index: number;
  readonly pass: UpdatePass;
  readonly scalars: Region | undefined;
}

interface Compiled {
  readonly exports: WasmExports;
  readonly functions: readonly WasmExports[string][];
  /** Absent where one thread does it all. */
  readonly shared: { readonly team: PassTeam; readonly module: EnlistedModule } | undefined;
}

/** The passes of one executable, compiled to one WebAssembly module over its memory. */
export class UpdatePasses {
  readonly #compiled: Compiled;
  readonly #passes: readonly BoundPass[];
  readonly #store: StateStore;
  readonly #find: FindRegion;

  private constructor(compiled: Compiled, passes: readonly BoundPass[], context: PassContext) {
    this.#compiled = compiled;
    this.#passes = passes;
    this.#store = context.store;
    this.#find = context.find;
  }

  /** Compiles one function for all passes of equal form. */
  static async compile(passes: readonly UpdatePass[], context: PassContext): Promise<UpdatePasses> {
    const functions = new Map<string, WasmFunction>();
    const bound = passes.map((pass): BoundPass => {
      const signature = kernelSignature(pass.kernel);
      if (!functions.has(signature)) functions.set(signature, compileLoop(`pass${functions.size}`, pass.kernel));
      const index = [...functions.keys()].indexOf(signature);
      return { index, pass, scalars: allocateScalars(pass, context.store.memory) };
    });
    const elements = passes.reduce((sum, { count }) => sum + count, 0);
    const compiled = await compileFunctions([...functions.values()], elements, context);
    return new UpdatePasses(compiled, bound, context);
  }

  /** Lets go of the helpers. */
  dispose(): void {
    const { shared } = this.#compiled;
    shared?.team.dismiss(shared.module);
  }

  /** Writes uniform numbers; `read` gives the counter's value. */
  fill(random: readonly RandomFill[], read: (value: Value) => number): void {
    for (const { value, counter, seed, count } of random) {
      const key = counterKey(seed, read(counter)) | 0;
      this.#compiled.exports[randomFunction]?.(this.#find(value).offset, key, count);
    }
  }

  /** Runs every pass; gives the event loop a turn when that takes long. Passes touch arrays of their own, so their order is free. */
  async run(read: (value: Value) => number): Promise<void> {
    let start = performance.now();
    let calls: PassTask[] = [];
    for (const bound of this.#passes) {
      writeScalars(bound, read);
      const offsets = bound.pass.arrays.map((array) => this.#region(array).offset);
      const scalars = bound.scalars?.offset ?? 0;
      for (let done = 0; done < bound.pass.count; done += callElements) {
        const count = Math.min(callElements, bound.pass.count - done);
        calls.push({ index: bound.index, parameters: [...offsets.map((offset) => offset + 4 * done), scalars, count] });
        if (calls.length < callsPerLook) continue;
        this.#runCalls(calls);
        calls = [];
        if (performance.now() - start < holdMilliseconds) continue;
        await nextTurn();
        start = performance.now();
      }
    }
    this.#runCalls(calls);
  }

  #runCalls(calls: readonly PassTask[]): void {
    const { shared, functions } = this.#compiled;
    if (shared !== undefined) shared.team.run(shared.module, calls);
    else for (const { index, parameters } of calls) functions[index]?.(...parameters);
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
  /** Opens the threads that share the work; `undefined` where one does it all. */
  readonly openTeam: (() => Promise<PassTeam>) | undefined;
}

async function compileFunctions(
  passes: readonly WasmFunction[],
  elements: number,
  { store, openTeam }: PassContext,
): Promise<Compiled> {
  const { wasm, isShared } = store.memory;
  if (wasm === undefined) return { exports: {}, functions: [], shared: undefined };
  const limits = { minimum: 1, maximum: maximumPages, isShared };
  const module = await compileModule(encodeModule([...passes, counterUniformFunction(randomFunction)], limits));
  const exports = await instantiate(module, wasm);
  const names = passes.map(({ name }) => name);
  const functions = names.map((name) => exports[name] as WasmExports[string]);
  const isWorth = isShared && elements >= leastSharedElements;
  if (openTeam === undefined || !isWorth || !passes.every(({ parameters }) => isTaskSized(parameters.length)))
    return { exports, functions, shared: undefined };
  const team = await openTeam();
  return { exports, functions, shared: { team, module: team.enlist(module, functions, { memory: wasm, names }) } };
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
