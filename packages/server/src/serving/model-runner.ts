import { type Backend, type Executable, ModelwrightError, type Program, type TensorMap } from '@modelwright/core';
import type { ModelArtifact } from '../contract/served-model.js';

/** Options of one run. */
export interface RunnerOptions {
  /** Only these outputs; default all. */
  readonly outputs?: readonly string[];
  /** Ends a run early where the runner can; passed only for models whose runs are long. */
  readonly signal?: AbortSignal;
  /** Whether anybody still waits for the answer: a runner that can get rid of a run that hangs does so when not. */
  readonly isWanted?: () => boolean;
}

/**
 * What computes for a served model: this thread's backend, a pool of workers, or a process of its own. Runs may overlap up to
 * `concurrency`; more are the caller's mistake, not queued here.
 */
export interface ModelRunner {
  /** Runs that may be under way at once. */
  readonly concurrency: number;
  /** Copies of the weights in memory. */
  readonly copies: number;
  /**
   * @throws {@link ModelwrightError} `model-unavailable` with `details.retryAfterSeconds` if what computed it was lost on the way,
   *   else what the backend throws.
   */
  run(inputs: TensorMap, options?: RunnerOptions): Promise<TensorMap>;
  /** Frees it; runs under way finish first. Idempotent. */
  dispose(): Promise<void>;
}

/** Opens what computes a model; `undefined` leaves it to the backend of this thread. */
export type OpenRunner = (artifact: ModelArtifact, program: Program) => Promise<ModelRunner | undefined>;

/** Runs a program on a backend of this thread: one copy of the weights serves every run. */
export async function openLocalRunner(
  program: Program,
  options: { readonly backend: Backend; readonly name: string; readonly concurrency?: number | undefined },
): Promise<ModelRunner> {
  const { backend, name } = options;
  const executable: Executable = await backend.compile(program, { name });
  return {
    concurrency: options.concurrency ?? Math.max(1, Math.floor(backend.capabilities.threads / 2)),
    copies: 1,
    run: (inputs, runOptions = {}) => executable.run(inputs, runOptions),
    dispose: () => executable.dispose(),
  };
}

/** The error of a model that takes no requests (any more). */
export function unavailable(name: string, why: string, retryAfterSeconds?: number): ModelwrightError {
  return new ModelwrightError(
    'model-unavailable',
    `model '${name}' ${why}`,
    retryAfterSeconds === undefined ? {} : { retryAfterSeconds },
  );
}
