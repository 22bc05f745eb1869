import {
  checkedInput,
  type Executable,
  ModelwrightError,
  type Program,
  type RunOptions,
  type RunQueue,
  type Tensor,
  type TensorMap,
  type Value,
} from '@modelwright/core';
import type { Placed } from './accelerator.js';
import { hostFeeds, numberTensor, type ReadNumber } from './host-feeds.js';
import type { NarrowableGraph } from './loaded-graph.js';
import type { ResidencyPlan } from './residency-plan.js';
import { copyOf, type ResidentState } from './resident-state.js';
import { type LoadedScan, ScannedRuns } from './scanned-runs.js';

/** What compiling a program for a device made. */
export interface ResidentParts {
  readonly program: Program;
  readonly plan: ResidencyPlan;
  readonly state: ResidentState;
  /** Absent when the host computes everything. */
  readonly loaded: NarrowableGraph | undefined;
  /** Loads the scan that runs in a row are; absent where single runs keep their state on the device. */
  readonly loadScan: (() => Promise<LoadedScan>) | undefined;
  /** A device takes one run at a time, whichever program it is of. */
  readonly turns: RunQueue;
}

/** A program compiled for a device: its state stays there between runs. */
export class ResidentExecutable implements Executable {
  readonly #parts: ResidentParts;
  readonly #declared: readonly Value[];
  readonly #onClosed: () => void;
  #scan: Promise<LoadedScan> | undefined;
  #closing: Promise<void> | undefined;

  constructor(parts: ResidentParts, onClosed: () => void) {
    this.#parts = parts;
    this.#onClosed = onClosed;
    const carried = new Set(parts.program.state.map(({ input }) => input));
    this.#declared = parts.program.graph.inputs.filter(({ name }) => !carried.has(name));
  }

  /** The state, for executables that share it. */
  get state(): ResidentState {
    return this.#parts.state;
  }

  run(inputs: TensorMap, options: RunOptions = {}): Promise<TensorMap> {
    return this.#enter(() => this.#runOnce(inputs, options));
  }

  runMany(inputs: readonly TensorMap[], options: RunOptions = {}): Promise<TensorMap[]> {
    return this.#enter(async () => {
      if (this.#isScanned(inputs, options)) return this.#runScanned(inputs, options);
      const results: TensorMap[] = [];
      for (const each of inputs) results.push(await this.#runOnce(each, options));
      return results;
    });
  }

  readState(names?: readonly string[]): Promise<TensorMap> {
    const wanted = names ?? this.#parts.program.state.map(({ name }) => name);
    return this.#enter(() => this.state.read(wanted));
  }

  writeState(values: TensorMap): Promise<void> {
    return this.#enter(() => this.state.write(values));
  }

  dispose(): Promise<void> {
    this.#closing ??= this.#parts.turns.add(async () => {
      this.state.detach();
      await this.#parts.loaded?.dispose();
      await this.#scan?.then(({ session }) => session.dispose());
      this.#onClosed();
    });
    return this.#closing;
  }

  #enter<T>(task: () => Promise<T> | T): Promise<T> {
    if (this.#closing === undefined) return this.#parts.turns.add(task);
    const message = `program '${this.#parts.program.graph.name}' was disposed`;
    return Promise.reject(new ModelwrightError('resource-disposed', message));
  }

  /** The state after each single run is not to be had from a scan. */
  #isScanned(inputs: readonly TensorMap[], { outputs = [] }: RunOptions): boolean {
    const { loadScan, program } = this.#parts;
    if (loadScan === undefined || inputs.length < 2) return false;
    return program.state.every(({ output }) => output === undefined || !outputs.includes(output));
  }

  async #runScanned(inputs: readonly TensorMap[], options: RunOptions): Promise<TensorMap[]> {
    const { loadScan, program } = this.#parts;
    for (const given of inputs)
      for (const input of this.#declared) checkedInput(program.graph, input, given[input.name]);
    this.#scan ??= loadScan?.();
    this.#scan?.catch(() => {
      this.#scan = undefined;
    });
    return new ScannedRuns(this.#parts, (await this.#scan) as LoadedScan).run(inputs, options);
  }

  async #runOnce(given: TensorMap, { signal, outputs }: RunOptions): Promise<TensorMap> {
    if (signal?.aborted)
      throw new ModelwrightError('aborted', 'the run was aborted before it began', { cause: signal.reason });
    const { program, plan } = this.#parts;
    for (const input of this.#declared) checkedInput(program.graph, input, given[input.name]);
    const numbers = plan.scalars.evaluate(await this.#numberReader(given));
    const results = await this.#runOnDevice(given, numbers);
    const fetched = await this.#collect({ given, numbers, results }, outputs);
    await this.#advance({ given, numbers, results });
    return outputs === undefined ? fetched : { ...fetched, ...(await this.#fetchedState(outputs)) };
  }

  /** Reads numbers that the host computes with: from the caller or from slots. */
  async #numberReader(given: TensorMap): Promise<ReadNumber> {
    const { plan, program } = this.#parts;
    const held = new Map<Value, number>();
    for (const { value } of plan.scalars.sources) {
      const slot = program.state.find(({ input }) => input === value.name);
      const tensor = slot === undefined ? given[value.name] : await this.state.onHost(slot.name);
      if (tensor !== undefined) held.set(value, Number(tensor.data[0]));
    }
    return (value) => held.get(value) as number;
  }

  async #runOnDevice(given: TensorMap, numbers: ReadNumber): Promise<ReadonlyMap<string, Placed>> {
    const { plan, loaded } = this.#parts;
    if (loaded === undefined) return new Map();
    const host = hostFeeds(plan, given, numbers);
    const onHost = async (name: string): Promise<Tensor> => {
      const slot = plan.slots.get(name);
      return slot === undefined ? (host.get(name) ?? (given[name] as Tensor)) : this.state.onHost(slot.name);
    };
    const { session, narrow } = await loaded.for(onHost);
    const feeds = new Map<string, Placed>();
    for (const name of session.inputNames) {
      const slot = plan.slots.get(name);
      if (slot !== undefined) feeds.set(name, await this.state.onDevice(slot.name));
      else feeds.set(name, narrow.get(name) ?? host.get(name) ?? (given[name] as Tensor));
    }
    return session.run(feeds);
  }

  async #collect(
    run: { given: TensorMap; numbers: ReadNumber; results: ReadonlyMap<string, Placed> },
    wanted: readonly string[] | undefined,
  ): Promise<TensorMap> {
    const fetched: { [name: string]: Tensor } = {};
    for (const { name, value, from } of this.#parts.plan.fetched) {
      if (wanted !== undefined && !wanted.includes(name)) continue;
      if (from === 'device') fetched[name] = run.results.get(name) as Tensor;
      else if (from === 'number') fetched[name] = numberTensor(value, run.numbers(value));
      else fetched[name] = copyOf(await this.#known(value, run.given));
    }
    return fetched;
  }

  /** Moves every slot to its next value; what is copied from other slots is read before any changes. */
  async #advance(run: { given: TensorMap; numbers: ReadNumber; results: ReadonlyMap<string, Placed> }): Promise<void> {
    const { plan } = this.#parts;
    const next: [string, Placed][] = [];
    for (const { slot, value } of plan.copiedSlots) next.push([slot.name, copyOf(await this.#known(value, run.given))]);
    for (const { slot, value } of plan.numberSlots) next.push([slot.name, numberTensor(value, run.numbers(value))]);
    for (const { slot, output } of plan.carried) next.push([slot.name, run.results.get(output) as Placed]);
    for (const [name, value] of next) this.state.replace(name, value);
  }

  async #fetchedState(wanted: readonly string[]): Promise<TensorMap> {
    const read: { [name: string]: Tensor } = {};
    for (const { name, output } of this.#parts.program.state)
      if (output !== undefined && wanted.includes(output))
        read[output] = (await this.state.read([name]))[name] as Tensor;
    return read;
  }

  async #known(value: Value, given: TensorMap): Promise<Tensor> {
    const { program } = this.#parts;
    const slot = program.state.find(({ input }) => input === value.name);
    if (slot !== undefined) return this.state.onHost(slot.name);
    const tensor = given[value.name] ?? program.graph.constants.get(value);
    if (tensor !== undefined) return tensor;
    throw new ModelwrightError('invalid-graph', `value '${value.name}' is used but never computed`);
  }
}
