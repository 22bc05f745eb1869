import {
  type Backend,
  type CompileOptions,
  castTensor,
  checkedInput,
  createReferenceBackend,
  type Executable,
  evaluateNodeOn,
  type Graph,
  isForeign,
  ModelwrightError,
  type Program,
  type RunOptions,
  RunQueue,
  sameShape,
  type Tensor,
  type TensorMap,
  type Value,
} from '@modelwright/core';

/** Milliseconds spent in each op so far, by op name. */
export type Profile = Map<string, number>;

/** A backend that computes with core's reference ops and times every one of them. */
export interface ProfilingBackend extends Backend {
  readonly profile: Profile;
}

/** What `loadBackend('@modelwright/example-custom-backend')` calls. */
export function createBackend(): ProfilingBackend {
  const profile: Profile = new Map();
  const { capabilities } = createReferenceBackend();
  return {
    specificationVersion: 'v1',
    name: 'profiling',
    device: 'cpu',
    capabilities,
    profile,
    async compile(program: Program, options: CompileOptions = {}): Promise<Executable> {
      const foreign = program.graph.nodes.find(isForeign);
      if (foreign !== undefined) {
        throw new ModelwrightError(
          'unsupported-op',
          `the profiling backend has no op '${foreign.op}' (node '${foreign.name}')`,
        );
      }
      return new ProfiledProgram(program, profile, options);
    },
    async dispose(): Promise<void> {},
  };
}

class ProfiledProgram implements Executable {
  readonly #program: Program;
  readonly #profile: Profile;
  readonly #state: Map<string, Tensor>;
  readonly #queue: RunQueue;
  #isDisposed = false;

  constructor(program: Program, profile: Profile, { shareState }: CompileOptions) {
    this.#program = program;
    this.#profile = profile;
    const shared = shareState instanceof ProfiledProgram ? shareState : undefined;
    this.#state = shared ? shared.#state : new Map();
    this.#queue = shared ? shared.#queue : new RunQueue();
    for (const { name, initial } of program.state) if (!this.#state.has(name)) this.#state.set(name, initial);
  }

  run(inputs: TensorMap, options: RunOptions = {}): Promise<TensorMap> {
    return this.#enter(() => this.#runOnce(inputs, options));
  }

  runMany(inputs: readonly TensorMap[], options: RunOptions = {}): Promise<TensorMap[]> {
    return this.#enter(() => inputs.map((each) => this.#runOnce(each, options)));
  }

  readState(names = this.#program.state.map(({ name }) => name)): Promise<TensorMap> {
    return this.#enter(() => Object.fromEntries(names.map((name) => [name, this.#slot(name)])));
  }

  writeState(values: TensorMap): Promise<void> {
    return this.#enter(() => {
      for (const [name, { dtype, shape }] of Object.entries(values)) {
        const slot = this.#slot(name);
        if (slot.dtype === dtype && sameShape(slot.shape, shape)) continue;
        throw new ModelwrightError('shape-mismatch', `state '${name}' has shape [${slot.shape}], not [${shape}]`);
      }
      for (const [name, value] of Object.entries(values)) this.#state.set(name, value);
    });
  }

  async dispose(): Promise<void> {
    this.#isDisposed = true;
    await this.#queue.idle();
  }

  #enter<T>(task: () => T): Promise<T> {
    if (!this.#isDisposed) return this.#queue.add(task);
    return Promise.reject(new ModelwrightError('resource-disposed', `'${this.#program.graph.name}' was disposed`));
  }

  #slot(name: string): Tensor {
    const value = this.#state.get(name);
    if (value !== undefined) return value;
    throw new ModelwrightError('invalid-argument', `there is no state '${name}'`, { allowed: [...this.#state.keys()] });
  }

  #runOnce(inputs: TensorMap, { outputs, signal }: RunOptions): TensorMap {
    if (signal?.aborted) throw new ModelwrightError('aborted', 'the run was aborted before it began');
    const { graph, state } = this.#program;
    const fed = { ...inputs, ...Object.fromEntries(state.map(({ name, input }) => [input, this.#slot(name)])) };
    const results = this.#evaluate(graph, fed);
    for (const { name, output } of state) if (output !== undefined) this.#state.set(name, results[output] as Tensor);
    const carried = new Set(state.map(({ output }) => output));
    const wanted = outputs ?? Object.keys(results).filter((name) => !carried.has(name));
    return Object.fromEntries(wanted.map((name) => [name, results[name] as Tensor]));
  }

  #evaluate(graph: Graph, fed: TensorMap): TensorMap {
    const values = new Map<Value, Tensor>(graph.constants);
    const find = (value: Value): Tensor => values.get(value) as Tensor;
    for (const input of graph.inputs) values.set(input, checkedInput(graph, input, fed[input.name]));
    for (const node of graph.nodes) {
      const start = performance.now();
      const operands = node.inputs.map((input) => (input === undefined ? undefined : find(input)));
      const results = evaluateNodeOn(node, operands, find);
      for (const [index, output] of node.outputs.entries()) values.set(output, results[index] as Tensor);
      this.#profile.set(node.op, (this.#profile.get(node.op) ?? 0) + performance.now() - start);
    }
    return Object.fromEntries(graph.outputs.map(({ name, value }) => [name, castTensor(find(value), value.dtype)]));
  }
}
