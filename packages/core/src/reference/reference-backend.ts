import type { Backend, CompileOptions, Executable, RunOptions } from '../backend.js';
import { ModelwrightError } from '../errors.js';
import type { Node } from '../graph/graph.js';
import { isForeign, opNames } from '../ops/registry.js';
import { isBlockQuantized } from '../passes/block-quantized.js';
import type { Program } from '../program.js';
import { RunQueue } from '../run-queue.js';
import { dtypes } from '../tensor/dtype.js';
import { sameShape } from '../tensor/shape.js';
import type { Tensor, TensorMap } from '../tensor/tensor.js';
import { evaluateGraph } from './evaluate.js';

/**
 * A backend without a runtime: every op's plain float64 reference, in this thread. Slow and exact; models run anywhere
 * with it, and other backends are compared with it.
 */
export function createReferenceBackend(): Backend {
  const executables = new Set<ReferenceExecutable>();
  return {
    specificationVersion: 'v1',
    name: 'reference',
    device: 'cpu',
    capabilities: {
      ops: new Set(opNames),
      dtypes: new Set(dtypes),
      threads: 1,
      residency: 'host',
      symbolicShapes: true,
      blocksCaller: true,
    },
    async compile(program: Program, options: CompileOptions = {}): Promise<Executable> {
      program.graph.nodes.forEach(requireKnown);
      const executable = new ReferenceExecutable(program, options);
      executables.add(executable);
      return executable;
    },
    async dispose(): Promise<void> {
      await Promise.all([...executables].map((executable) => executable.dispose()));
      executables.clear();
    },
  };
}

function requireKnown(node: Node): void {
  if (!isForeign(node) || isBlockQuantized(node)) return;
  const name = `${node.domain || 'ai.onnx'}:${node.op}`;
  throw new ModelwrightError('unsupported-op', `the reference backend has no op '${name}' (node '${node.name}')`, {
    op: node.op,
    layer: node.name,
  });
}

interface SharedState {
  readonly values: Map<string, Tensor>;
  readonly queue: RunQueue;
}

class ReferenceExecutable implements Executable {
  readonly #program: Program;
  readonly #state: SharedState;
  #disposed = false;

  constructor(program: Program, options: CompileOptions) {
    this.#program = program;
    this.#state = sharedStateOf(options.shareState) ?? { values: new Map(), queue: new RunQueue() };
    for (const slot of program.state) {
      if (!this.#state.values.has(slot.name)) this.#state.values.set(slot.name, slot.initial);
    }
  }

  get state(): SharedState {
    return this.#state;
  }

  run(inputs: TensorMap, options: RunOptions = {}): Promise<TensorMap> {
    return this.#queued(() => this.#runOnce(inputs, options));
  }

  runMany(inputs: readonly TensorMap[], options: RunOptions = {}): Promise<TensorMap[]> {
    return this.#queued(() => inputs.map((each) => this.#runOnce(each, options)));
  }

  readState(names?: readonly string[]): Promise<TensorMap> {
    return this.#queued(() => {
      const wanted = names ?? this.#program.state.map(({ name }) => name);
      return Object.fromEntries(wanted.map((name) => [name, this.#slot(name)]));
    });
  }

  writeState(values: TensorMap): Promise<void> {
    return this.#queued(() => {
      for (const [name, value] of Object.entries(values)) requireSameType(name, this.#slot(name), value);
      for (const [name, value] of Object.entries(values)) this.#state.values.set(name, value);
    });
  }

  async dispose(): Promise<void> {
    this.#disposed = true;
    await this.#state.queue.idle();
  }

  #queued<T>(task: () => T): Promise<T> {
    if (this.#disposed) {
      return Promise.reject(
        new ModelwrightError('resource-disposed', `program '${this.#program.graph.name}' was disposed`),
      );
    }
    return this.#state.queue.add(task);
  }

  #slot(name: string): Tensor {
    const value = this.#state.values.get(name);
    if (value !== undefined) return value;
    const allowed = [...this.#state.values.keys()];
    throw new ModelwrightError(
      'invalid-argument',
      `there is no state '${name}'; there is: ${allowed.join(', ') || 'none'}`,
      { given: name, allowed },
    );
  }

  #runOnce(inputs: TensorMap, options: RunOptions): TensorMap {
    if (options.signal?.aborted)
      throw new ModelwrightError('aborted', 'the run was aborted before it began', { cause: options.signal.reason });
    const { graph, state } = this.#program;
    const fed = Object.fromEntries(state.map((slot) => [slot.input, this.#slot(slot.name)]));
    const results = evaluateGraph(graph, { ...inputs, ...fed });
    const carried = new Set<string>();
    for (const slot of state) {
      if (slot.output === undefined) continue;
      carried.add(slot.output);
      this.#state.values.set(slot.name, results[slot.output] as Tensor);
    }
    const wanted = options.outputs ?? Object.keys(results).filter((name) => !carried.has(name));
    return Object.fromEntries(wanted.map((name) => [name, results[name] as Tensor]));
  }
}

function sharedStateOf(executable: Executable | undefined): SharedState | undefined {
  if (executable === undefined) return undefined;
  if (executable instanceof ReferenceExecutable) return executable.state;
  throw new ModelwrightError('invalid-argument', 'state can be shared only with an executable of the same backend');
}

function requireSameType(name: string, slot: Tensor, value: Tensor): void {
  if (slot.dtype === value.dtype && sameShape(slot.shape, value.shape)) return;
  throw new ModelwrightError(
    'shape-mismatch',
    `state '${name}' is ${slot.dtype}[${slot.shape}], but ${value.dtype}[${value.shape}] was given`,
    {
      given: value.shape,
      allowed: slot.shape,
    },
  );
}
