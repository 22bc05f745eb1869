import type { Shape, Tensor } from '@modelwright/core';
import type { StartHelper } from '../wasm/pass-team.js';
import type { ElementType } from './element-type.js';

/** What a model says of one input or output. */
export interface ValueMetadata {
  readonly name: string;
  readonly dtype: ElementType;
  /** A dimension is a number, a symbol, or `''` where the model leaves it open. */
  readonly shape: Shape;
}

/** How a session optimizes and runs its model. Everything left out is the runtime's default. */
export interface SessionOptions {
  readonly intraOpThreads?: number;
  readonly optimizationLevel?: 'disabled' | 'basic' | 'extended' | 'all';
  readonly memoryArena?: boolean;
  readonly memoryPattern?: boolean;
  /** Entries of the session's configuration, e.g. `session.intra_op.allow_spinning`. */
  readonly configuration?: Readonly<Record<string, string>>;
  /** Writes a Chrome trace beside this prefix while the session lives (native engine). */
  readonly profilePrefix?: string;
}

/**
 * A tensor the runtime knows. Creating one costs more than running with it, so values that come back every run (weights, gradients)
 * are created once. The memory behind it must not be detached or moved while the value lives.
 */
export interface EngineValue {
  readonly tensor: Tensor;
  /** Frees what the runtime holds, not the memory of the caller. Idempotent; waits for runs under way by itself. */
  dispose(): void;
}

/** Options of one run. */
export interface EngineRunOptions {
  /** Ends the run early with an `aborted` error (native engine; the binding engine ignores it once the run has begun). */
  readonly signal?: AbortSignal;
}

/**
 * A chosen list of inputs and outputs of a session, ready to run many times.
 *
 * Runs of one plan may overlap; each needs outputs of its own.
 */
export interface RunPlan {
  /**
   * @param inputs - values in the order of the plan's input names.
   * @param outputs - values to write into, in the order of the plan's output names; `null` lets the runtime allocate.
   * @returns the outputs in order; where a value was given, its own tensor.
   */
  run(
    inputs: readonly EngineValue[],
    outputs: readonly (EngineValue | null)[],
    options?: EngineRunOptions,
  ): Promise<Tensor[]>;
}

/** One loaded model. Concurrent runs share its weights. */
export interface Session {
  readonly inputs: readonly ValueMetadata[];
  readonly outputs: readonly ValueMetadata[];
  plan(inputNames: readonly string[], outputNames: readonly string[]): RunPlan;
  /** Waits for runs under way, then frees the model. Idempotent. */
  dispose(): Promise<void>;
}

/** A way to reach ONNX Runtime. */
export interface Engine {
  readonly kind: 'native' | 'binding' | 'web';
  /** Version of the runtime, e.g. `1.30.0`. */
  readonly version: string;
  /** @param model - bytes of an ONNX file, or the path of one (external data is looked for beside it). */
  createSession(model: Uint8Array | string, options?: SessionOptions): Promise<Session>;
  /** @throws ModelwrightError if the runtime cannot use the tensor's memory. */
  createValue(tensor: Tensor): EngineValue;
  /** Starts threads that work on the same memory as the runtime; absent where it takes no memory that threads share. */
  readonly startHelper?: StartHelper;
  /** Disposes every session that is still open. */
  dispose(): Promise<void>;
}
