import {
  checkedInput,
  type Executable,
  type GraphOutput,
  ModelwrightError,
  type Program,
  type RunOptions,
  Tensor,
  type TensorMap,
  type Value,
} from '@modelwright/core';
import type { EngineRunOptions, EngineValue } from '../engine/engine.js';
import type { Region } from '../memory/host-memory.js';
import type { StateStore } from '../memory/state-store.js';
import type { RuntimeStore, SplitProgram } from '../split/split-program.js';
import { readNumber, writeNumber } from './numbers.js';
import type { RuntimeGraph } from './runtime-graph.js';
import type { UpdatePasses } from './update-passes.js';

/** What compiling a program made. */
export interface ExecutableParts {
  readonly program: Program;
  readonly split: SplitProgram;
  readonly store: StateStore;
  /** Absent when the host computes everything. */
  readonly runtime: RuntimeGraph | undefined;
  readonly passes: UpdatePasses;
  /** Memory of the values that cross between runtime and host. */
  readonly regions: ReadonlyMap<Value, Region>;
}

/** A program compiled for ONNX Runtime, with the passes that update its state. */
export class OrtExecutable implements Executable {
  readonly #parts: ExecutableParts;
  readonly #declared: readonly Value[];
  readonly #made: ReadonlySet<Value>;
  readonly #isSerial: boolean;
  readonly #isPlain: boolean;
  readonly #allFetched: readonly GraphOutput[];
  readonly #allOutputs: readonly Value[];
  readonly #onClosed: () => void;
  #closing: Promise<void> | undefined;
  #running = 0;
  #idle: (() => void) | undefined;

  constructor(parts: ExecutableParts, onClosed: () => void) {
    this.#onClosed = onClosed;
    const { program, split } = parts;
    this.#declared = program.graph.inputs.filter((input) => !split.slotOfInput.has(input));
    this.#made = new Set(split.graph.outputs.map(({ value }) => value));
    this.#isSerial = program.state.length > 0 || split.random.length > 0;
    this.#allFetched = split.fetched;
    this.#allOutputs = split.fetched.map(({ value }) => value);
    const isMade =
      new Set(this.#allOutputs).size === this.#allOutputs.length &&
      this.#allOutputs.every((value) => this.#made.has(value));
    this.#isPlain = !this.#isSerial && isMade && parts.runtime !== undefined;
    this.#parts = this.#isPlain ? withoutWeights(parts) : parts;
  }

  /** The state and its queue, for executables that share them. */
  get store(): StateStore {
    return this.#parts.store;
  }

  run(inputs: TensorMap, options: RunOptions = {}): Promise<TensorMap> {
    return this.#enter(() => (this.#isPlain ? this.#runPlain(inputs, options) : this.#runOnce(inputs, options)));
  }

  runMany(inputs: readonly TensorMap[], options: RunOptions = {}): Promise<TensorMap[]> {
    return this.#enter(async () => {
      const results: TensorMap[] = [];
      for (const one of inputs)
        results.push(await (this.#isPlain ? this.#runPlain(one, options) : this.#runOnce(one, options)));
      return results;
    });
  }

  readState(names?: readonly string[]): Promise<TensorMap> {
    const wanted = names ?? this.#parts.program.state.map(({ name }) => name);
    return this.#enter(() => this.store.read(wanted), true);
  }

  writeState(values: TensorMap): Promise<void> {
    return this.#enter(() => this.store.write(values), true);
  }

  dispose(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#running > 0)
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
    await this.#parts.runtime?.dispose();
    this.#parts.passes.dispose();
    this.store.detach();
    this.#onClosed();
  }

  #enter<T>(task: () => Promise<T> | T, isSerial = this.#isSerial): Promise<T> {
    if (this.#closing !== undefined) {
      const message = `program '${this.#parts.program.graph.name}' was disposed`;
      return Promise.reject(new ModelwrightError('resource-disposed', message));
    }
    this.#running += 1;
    const run = isSerial ? this.store.queue.add(task) : Promise.resolve(task());
    const settle = (): void => {
      this.#running -= 1;
      if (this.#running === 0) this.#idle?.();
    };
    run.then(settle, settle);
    return run;
  }

  /** A run that leaves nothing to the host: what most inference is. */
  async #runPlain(given: TensorMap, options: RunOptions): Promise<TensorMap> {
    const { program, runtime } = this.#parts;
    checkSignal(options);
    for (const input of this.#declared) checkedInput(program.graph, input, given[input.name]);
    const fetched = this.#fetched(options);
    const outputs = fetched === this.#allFetched ? this.#allOutputs : fetched.map(({ value }) => value);
    const tensors = await (runtime as RuntimeGraph).run({ given, outputs, options: toEngineOptions(options) });
    const results: { [name: string]: Tensor } = {};
    for (const [index, { name }] of fetched.entries()) results[name] = tensors[index] as Tensor;
    return results;
  }

  async #runOnce(given: TensorMap, options: RunOptions): Promise<TensorMap> {
    checkSignal(options);
    const { program, split, passes } = this.#parts;
    for (const input of this.#declared) checkedInput(program.graph, input, given[input.name]);
    const results = new Map<Value, Tensor>();
    const fetched = this.#fetched(options);
    if (split.random.length > 0)
      passes.fill(
        split.random,
        split.early.evaluate((value) => this.#number(value, given)),
      );
    await this.#runGraph({ given, fetched, results }, options);
    const copied = this.#copyThrough(given, fetched);
    const read = split.late.evaluate((value) => this.#number(value, given));
    this.#stage(given);
    await passes.run(read);
    for (const { slot, value } of split.scalarStores)
      writeNumber(this.store.slot(slot.name).current.tensor, read(value));
    for (const { slot, isInPlace } of split.runtimeStores) if (!isInPlace) this.store.slot(slot.name).swap();
    return this.#collect({ fetched, results, copied }, options);
  }

  /** The values the caller gets that are not next states. */
  #fetched({ outputs }: RunOptions): readonly GraphOutput[] {
    return outputs === undefined ? this.#allFetched : this.#allFetched.filter(({ name }) => outputs.includes(name));
  }

  async #runGraph(
    run: { given: TensorMap; fetched: readonly { readonly value: Value }[]; results: Map<Value, Tensor> },
    options: RunOptions,
  ): Promise<void> {
    const { split, runtime, regions } = this.#parts;
    if (runtime === undefined) return;
    const nextStates = new Map(split.runtimeStores.map((store) => [store.value, store]));
    const wanted = [...new Set([...run.fetched.map(({ value }) => value), ...nextStates.keys(), ...regions.keys()])];
    const outputs = wanted.filter((value) => this.#made.has(value));
    const held = (value: Value, side: 'input' | 'output'): EngineValue | undefined => {
      const region = regions.get(value);
      // What the caller gives is read where it lies; its region is for the passes, and filled later.
      if (region !== undefined && !this.#declared.includes(value)) return region.value;
      const slot = side === 'input' ? split.slotOfInput.get(value) : nextStates.get(value)?.slot;
      if (slot === undefined) return undefined;
      const storage = this.store.slot(slot.name);
      const isCurrent = side === 'input' || nextStates.get(value)?.isInPlace === true;
      return isCurrent ? storage.current.value : storage.spare.value;
    };
    const tensors = await runtime.run({ given: run.given, held, outputs, options: toEngineOptions(options) });
    for (const { value } of run.fetched) {
      const tensor = tensors[outputs.indexOf(value)];
      if (tensor === undefined) continue;
      // A next state lies in memory of the slot, which a later run writes.
      run.results.set(value, nextStates.has(value) ? copyTensor(tensor) : tensor);
    }
    this.#spread(split.runtimeStores, nextStates);
  }

  /** One value may be the next state of several slots; the runtime has written it once. */
  #spread(stores: SplitProgram['runtimeStores'], nextStates: ReadonlyMap<Value, RuntimeStore>): void {
    const { regions } = this.#parts;
    for (const { slot, value, isInPlace } of stores) {
      if (!this.#made.has(value) || isInPlace) continue;
      const source = regions.get(value) ?? this.store.slot((nextStates.get(value) as RuntimeStore).slot.name).spare;
      const target = this.store.slot(slot.name).spare;
      if (source !== target) target.write(source.tensor);
    }
  }

  /** Outputs and next states that are inputs, constants or states as they are; copied before anything is overwritten. */
  #copyThrough(given: TensorMap, fetched: readonly { readonly value: Value }[]): ReadonlyMap<Value, Tensor> {
    const copied = new Map<Value, Tensor>();
    for (const { value } of fetched) {
      if (this.#made.has(value)) continue;
      copied.set(value, copyTensor(this.#known(value, given)));
    }
    for (const { slot, value } of this.#parts.split.runtimeStores)
      if (!this.#made.has(value)) this.store.slot(slot.name).spare.write(this.#known(value, given));
    return copied;
  }

  /** Vectors that passes read but the runtime does not make: inputs of the caller and constants. */
  #stage(given: TensorMap): void {
    for (const [value, region] of this.#parts.regions)
      if (given[value.name] !== undefined && this.#declared.includes(value)) region.write(given[value.name] as Tensor);
  }

  #known(value: Value, given: TensorMap): Tensor {
    const { split, program, regions } = this.#parts;
    const slot = split.slotOfInput.get(value);
    if (slot !== undefined) return this.store.slot(slot.name).current.tensor;
    const tensor = given[value.name] ?? program.graph.constants.get(value) ?? regions.get(value)?.tensor;
    if (tensor !== undefined) return tensor;
    throw new ModelwrightError('invalid-graph', `value '${value.name}' is used but never computed`);
  }

  #number(value: Value, given: TensorMap): number {
    const region = this.#parts.regions.get(value);
    return readNumber(region !== undefined && this.#made.has(value) ? region.tensor : this.#known(value, given));
  }

  #collect(
    run: {
      fetched: readonly GraphOutput[];
      results: ReadonlyMap<Value, Tensor>;
      copied: ReadonlyMap<Value, Tensor>;
    },
    options: RunOptions,
  ): TensorMap {
    const { program, regions } = this.#parts;
    const outputs = run.fetched.map(({ name, value }): [string, Tensor] => {
      const region = regions.get(value);
      const tensor = run.copied.get(value) ?? (region === undefined ? run.results.get(value) : region.read());
      return [name, tensor as Tensor];
    });
    const carried = program.state
      .filter(({ output }) => output !== undefined && options.outputs?.includes(output))
      .map((slot): [string, Tensor] => [slot.output as string, this.store.slot(slot.name).current.read()]);
    return Object.fromEntries([...outputs, ...carried]);
  }
}

/** The runtime has its own copy of the weights: whoever serves a model need not keep them twice. */
function withoutWeights(parts: ExecutableParts): ExecutableParts {
  const { program, split } = parts;
  const constants = new Map();
  return {
    ...parts,
    program: { ...program, graph: { ...program.graph, nodes: [], constants } },
    split: { ...split, constants, graph: { ...split.graph, nodes: [], constants } },
  };
}

function checkSignal({ signal }: RunOptions): void {
  if (signal?.aborted)
    throw new ModelwrightError('aborted', 'the run was aborted before it began', { cause: signal.reason });
}

function toEngineOptions({ signal }: RunOptions): EngineRunOptions {
  return signal instanceof AbortSignal ? { signal } : {};
}

function copyTensor({ dtype, shape, data }: Tensor): Tensor {
  return new Tensor(dtype, shape, data.slice() as Tensor['data']);
}
