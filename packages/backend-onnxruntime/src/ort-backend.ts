import {
  type Backend,
  type BackendCapabilities,
  type CompileOptions,
  type Executable,
  ModelwrightError,
  type Program,
} from '@modelwright/core';

/** How ONNX Runtime is reached: its C API, the JS API of `onnxruntime-node`, or `onnxruntime-web`. */
export type EngineName = 'native' | 'binding' | 'web';

/** A backend on ONNX Runtime, and how it reaches it. */
export interface OnnxRuntimeBackend extends Backend {
  readonly engine: EngineName;
  /** Version of the runtime. */
  readonly runtimeVersion: string;
}

/** What a device adds to a backend. */
export interface BackendParts {
  readonly device: string;
  readonly engine: EngineName;
  readonly runtimeVersion: string;
  readonly capabilities: BackendCapabilities;
  compile(program: Program, options: CompileOptions, onClosed: (executable: Executable) => void): Promise<Executable>;
  /** Called once, when all executables are disposed. */
  close(): Promise<void>;
}

/** A backend on one device of ONNX Runtime; owns the executables it compiled. */
export class OrtBackend implements OnnxRuntimeBackend {
  readonly specificationVersion = 'v1';
  readonly name = 'onnxruntime';
  readonly device: string;
  readonly engine: EngineName;
  readonly runtimeVersion: string;
  readonly capabilities: BackendCapabilities;
  readonly #parts: BackendParts;
  readonly #executables = new Set<Executable>();
  #closing: Promise<void> | undefined;

  constructor(parts: BackendParts) {
    this.#parts = parts;
    this.device = parts.device;
    this.engine = parts.engine;
    this.runtimeVersion = parts.runtimeVersion;
    this.capabilities = parts.capabilities;
  }

  async compile(program: Program, options: CompileOptions = {}): Promise<Executable> {
    if (this.#closing !== undefined) throw new ModelwrightError('resource-disposed', 'this backend was disposed');
    const executable = await this.#parts.compile(program, options, (closed) => this.#executables.delete(closed));
    this.#executables.add(executable);
    return executable;
  }

  dispose(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#executables].map((executable) => executable.dispose()));
    await this.#parts.close();
  }
}
