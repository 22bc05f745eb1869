import { availableParallelism } from 'node:os';
import { openDevice } from './devices/open-device.js';
import type { EngineKind } from './engine/create-engine.js';
import type { SessionOptions } from './engine/engine.js';
import type { OnnxRuntimeBackend } from './ort-backend.js';

/** Options of {@link createBackend}. */
export interface OnnxRuntimeBackendOptions {
  /**
   * `'cpu'` (default), `'webgpu'`, `'cuda'`, `'tensorrt'`, `'dml'`, `'coreml'`, `'wasm'` (`onnxruntime-web`), or `'auto'`: the first of the GPUs
   * that works here, else the CPU. A device asked for by name that does not work is an error, never another device.
   */
  readonly device?: string;
  /** How the runtime is reached. Default `'auto'`: its C API where koffi is installed, else its JS API. */
  readonly engine?: EngineKind;
  /**
   * Runs the `'binding'` engine in a worker thread, since its runs block the event loop; inputs, outputs and state are then copied on their way.
   * Default false.
   */
  readonly worker?: boolean;
  /** Threads a single op may use. Default: one a core, or a single one for programs whose time goes into loops of small steps. */
  readonly threads?: number;
  /**
   * How much WebAssembly memory one program may take for its state, so that updates run as one pass over it. A program that needs more, or 0,
   * keeps its updates in the graph. Default 4 GiB, the most there is.
   */
  readonly hostMemoryBytes?: number;
  /**
   * Whether a GPU backend may leave ops that its provider has no kernel for to the CPU, with copies in between. Default true; false makes
   * compiling such a program fail with the runtime's message.
   */
  readonly cpuFallback?: boolean;
  /** Which GPU, where there are several. Default 0. */
  readonly deviceId?: number;
  /** Passed on to every session. */
  readonly session?: SessionOptions;
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
  return openDevice(options.device ?? 'cpu', { ...options, cores: availableParallelism() });
}
