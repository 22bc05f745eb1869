import {
  checkedInput,
  type Executable,
  ModelwrightError,
  type Program,
  type RunOptions,
  type Tensor,
  type TensorMap,
} from '@modelwright/core';
import { Held } from './device/held.js';
import { disposePlan, type Plan } from './run/compile-plan.js';
import { type RunContext, runPlan } from './run/run-plan.js';
import type { StateStore } from './run/state-store.js';

/** A program compiled into a plan of kernel calls. */
export class TfjsExecutable implements Executable {
  readonly store: StateStore;
  readonly #program: Program;
  readonly #plan: Plan;
  readonly #context: RunContext;
  readonly #onClosed: () => void;
  readonly #carried: ReadonlySet<string>;
  #closing: Promise<void> | undefined;

  constructor(parts: {
    readonly program: Program;
    readonly plan: Plan;
    readonly store: StateStore;
    readonly context: RunContext;
    readonly onClosed: () => void;
  }) {
    this.#program = parts.program;
    this.#plan = parts.plan;
    this.store = parts.store;
    this.#context = parts.context;
    this.#onClosed = parts.onClosed;
    this.#carried = new Set(parts.program.state.flatMap(({ output }) => (output === undefined ? [] : [output])));
    this.store.attach(parts.program.state);
  }

  run(inputs: TensorMap, options: RunOptions = {}): Promise<TensorMap> {
    return this.#queued(() => this.#runOnce(inputs, options));
  }

  runMany(inputs: readonly TensorMap[], options: RunOptions = {}): Promise<TensorMap[]> {
    return this.#queued(async () => {
      const results: TensorMap[] = [];
      for (const each of inputs) results.push(await this.#runOnce(each, options));
      return results;
    });
  }

  readState(names?: readonly string[]): Promise<TensorMap> {
    return this.#queued(() => this.store.read(names ?? this.#program.state.map(({ name }) => name)));
  }

  writeState(values: TensorMap): Promise<void> {
    return this.#queued(() => this.store.write(values));
  }

  dispose(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.store.queue.idle();
    disposePlan(this.#plan);
    this.store.detach();
    this.#onClosed();
  }

  #queued<T>(task: () => Promise<T> | T): Promise<T> {
    if (this.#closing === undefined) return this.store.queue.add(task);
    const message = `program '${this.#program.graph.name}' was disposed`;
    return Promise.reject(new ModelwrightError('resource-disposed', message));
  }

  /** Kernels run at once, without giving way; only reading results may wait. */
  async #runOnce(given: TensorMap, options: RunOptions): Promise<TensorMap> {
    if (options.signal?.aborted)
      throw new ModelwrightError('aborted', 'the run was aborted before it began', { cause: options.signal.reason });
    const wanted = this.#wanted(options);
    const results = this.#context.kernels.within(() => this.#compute(given));
    try {
      return Object.fromEntries(
        await Promise.all(
          wanted.map(async (name): Promise<[string, Tensor]> => [name, await (results.get(name) as Held).take()]),
        ),
      );
    } finally {
      for (const held of results.values()) held.release();
      await this.#context.pace.keep();
    }
  }

  #wanted({ outputs }: RunOptions): readonly string[] {
    const allowed = this.#plan.outputs.map(({ name }) => name);
    for (const name of outputs ?? []) {
      if (allowed.includes(name)) continue;
      const message = `'${this.#plan.name}' has no output '${name}'; outputs are: ${allowed.join(', ')}`;
      throw new ModelwrightError('invalid-argument', message, { given: name, allowed });
    }
    return outputs ?? allowed.filter((name) => !this.#carried.has(name));
  }

  /** Runs the plan and moves the state on; the caller owns the results. */
  #compute(given: TensorMap): ReadonlyMap<string, Held> {
    const { graph, state } = this.#program;
    const { kernels } = this.#context;
    const slots = new Map(state.map((slot) => [slot.input, slot.name]));
    const inputs = graph.inputs.map((input) => {
      const slot = slots.get(input.name);
      if (slot !== undefined) return this.store.get(slot).retain();
      const tensor = checkedInput(graph, input, given[input.name]);
      return new Held(kernels, tensor.dtype, tensor);
    });
    try {
      const made = runPlan(this.#plan, this.#context, inputs);
      const results = new Map(this.#plan.outputs.map(({ name }, index) => [name, made[index] as Held]));
      for (const { name, output } of state) {
        if (output !== undefined) this.store.set(name, (results.get(output) as Held).retain());
      }
      return results;
    } finally {
      for (const held of inputs) held.release();
    }
  }
}
