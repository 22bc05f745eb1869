import type { Program } from './program.js';
import type { DType } from './tensor/dtype.js';
import type { TensorMap } from './tensor/tensor.js';

/** What a backend can do, as data. */
export interface BackendCapabilities {
  /** Ops it runs, own-domain ones included; whatever decomposes into them runs too. */
  readonly ops: ReadonlySet<string>;
  readonly dtypes: ReadonlySet<DType>;
  /** Those of {@link dtypes} that the device has no arithmetic for: the host computes them, exactly but slowly. Default none. */
  readonly dtypesOnHost?: ReadonlySet<DType>;
  readonly threads: number;
  /** Where state lives between runs. */
  readonly residency: 'host' | 'device';
  /** Whether inputs may have extents that are known only when the program runs. */
  readonly symbolicShapes: boolean;
  /**
   * How many runs whoever has a stream of them should give to {@link Executable.runMany} at once. Default 1: runs one after the other
   * are as fast.
   */
  readonly runsAtOnce?: number;
  /** Whether a run holds the thread that called it, event loop included, until it ends. Default false. */
  readonly blocksCaller?: boolean;
}

export interface CompileOptions {
  /** Shown in errors and profiles. */
  readonly name?: string;
  /** Check the graph after each pass. */
  readonly debug?: boolean;
  /**
   * Use the state of this executable (of the same backend) instead of one's own: slots of equal name are one storage.
   * The other executable must outlive this one. That is how one training step serves several batch sizes.
   */
  readonly shareState?: Executable;
}

/** The part of `AbortSignal` that is read. */
export interface CancelSignal {
  readonly aborted: boolean;
  readonly reason?: unknown;
}

export interface RunOptions {
  /** Checked before each run; an `AbortSignal` fits. */
  readonly signal?: CancelSignal;
  /** Return only these outputs. Default: all that are not state. */
  readonly outputs?: readonly string[];
}

/** Runs programs on one device. Two backends live side by side in one process. */
export interface Backend {
  readonly specificationVersion: 'v1';
  readonly name: string;
  readonly device: string;
  readonly capabilities: BackendCapabilities;
  /** @throws `unsupported-op`, `unsupported-dtype` naming the node; `backend-failure` with the runtime's own message. */
  compile(program: Program, options?: CompileOptions): Promise<Executable>;
  /** Frees everything the backend holds, executables included. Idempotent. */
  dispose(): Promise<void>;
}

/**
 * A compiled program. Without carried state it may run concurrently with itself; runs that carry state are queued in the
 * order of their calls. Returned tensors belong to the caller.
 */
export interface Executable {
  run(inputs: TensorMap, options?: RunOptions): Promise<TensorMap>;
  /** Several runs in order in one call; equals calling {@link run} in a row. */
  runMany(inputs: readonly TensorMap[], options?: RunOptions): Promise<TensorMap[]>;
  /** Copies of state slots; all when `names` is left out. */
  readState(names?: readonly string[]): Promise<TensorMap>;
  /** Replaces state slots; shapes and dtypes must be those of the slots. */
  writeState(values: TensorMap): Promise<void>;
  /** Frees it; runs under way finish first. Idempotent; use afterwards throws `resource-disposed`. */
  dispose(): Promise<void>;
}
