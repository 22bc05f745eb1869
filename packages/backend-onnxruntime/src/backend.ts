import { availableParallelism } from 'node:os';
import {
  type Backend,
  type BackendCapabilities,
  type CompileOptions,
  dtypes,
  type Executable,
  ModelwrightError,
  type OpName,
  opNames,
  type Program,
} from '@modelwright/core';
import { compileProgram } from './compile-program.js';
import { createEngine, type EngineKind } from './engine/create-engine.js';
import { isExchanged } from './engine/element-type.js';
import type { Engine, SessionOptions } from './engine/engine.js';
import type { OrtExecutable } from './executable/ort-executable.js';
import { loweringTable } from './lowering/lowering-table.js';

/** Options of {@link createBackend}. */
export interface OnnxRuntimeBackendOptions {
  /** Default and, so far, only device: `'cpu'`. */
  readonly device?: string;
  /** How the runtime is reached. Default `'auto'`: its C API where koffi is installed, else its JS API. */
  readonly engine?: EngineKind;
  /**
   * Runs the `'binding'` engine in a worker thread, since its runs block the event loop; inputs, outputs and state are then copied on their way.
   * Default false.
   */
  readonly worker?: boolean;
  /** Threads a single op may use. Default: one a core. */
  readonly threads?: number;
  /**
   * How much WebAssembly memory one program may take for its state, so that updates run as one pass over it. A program that needs more, or 0,
   * keeps its updates in the graph. Default 4 GiB, the most there is.
   */
  readonly hostMemoryBytes?: number;
  /** Passed on to every session. */
  readonly session?: SessionOptions;
}

/** A backend on ONNX Runtime, and how it reaches it. */
export interface OnnxRuntimeBackend extends Backend {
  readonly engine: 'native' | 'binding';
  /** Version of the runtime. */
  readonly runtimeVersion: string;
}

/**
 * Opens a backend on ONNX Runtime.
 *
 * @throws {@link ModelwrightError} `backend-unavailable` saying what to install, `invalid-configuration` for a device it does not have.
 * @example
 * const backend = await createBackend();
 * const executable = await backend.compile(program);
 */
export async function createBackend(options: OnnxRuntimeBackendOptions = {}): Promise<OnnxRuntimeBackend> {
  const device = options.device ?? 'cpu';
  if (device !== 'cpu')
    throw new ModelwrightError('invalid-configuration', `backend onnxruntime has no device '${device}'`, {
      given: device,
      allowed: ['cpu'],
    });
  return new OrtBackend(await createEngine(options.engine, { worker: options.worker ?? false }), options);
}

class OrtBackend implements OnnxRuntimeBackend {
  readonly specificationVersion = 'v1';
  readonly name = 'onnxruntime';
  readonly device = 'cpu';
  readonly capabilities: BackendCapabilities;
  readonly engine: 'native' | 'binding';
  readonly runtimeVersion: string;
  readonly #engine: Engine;
  readonly #options: OnnxRuntimeBackendOptions;
  readonly #executables = new Set<OrtExecutable>();
  #isDisposed = false;

  constructor(engine: Engine, options: OnnxRuntimeBackendOptions) {
    this.#engine = engine;
    this.#options = options;
    this.engine = engine.kind;
    this.runtimeVersion = engine.version;
    this.capabilities = {
      ops: new Set(opNames.filter((name: OpName) => !('reason' in Object(loweringTable[name])))),
      dtypes: new Set(dtypes.filter((dtype) => isExchanged(dtype, engine.kind))),
      threads: options.threads ?? availableParallelism(),
      residency: 'host',
      symbolicShapes: true,
    };
  }

  async compile(program: Program, options: CompileOptions = {}): Promise<Executable> {
    if (this.#isDisposed) throw new ModelwrightError('resource-disposed', 'this backend was disposed');
    const { threads, session, hostMemoryBytes } = this.#options;
    const executable = await compileProgram(program, options, {
      engine: this.#engine,
      sessionOptions: { ...(threads === undefined ? {} : { intraOpThreads: threads }), ...session },
      hostMemoryBytes: hostMemoryBytes ?? 2 ** 32,
      onClosed: (closed) => this.#executables.delete(closed),
    });
    this.#executables.add(executable);
    return executable;
  }

  async dispose(): Promise<void> {
    this.#isDisposed = true;
    await Promise.all([...this.#executables].map((executable) => executable.dispose()));
    await this.#engine.dispose();
  }
}
