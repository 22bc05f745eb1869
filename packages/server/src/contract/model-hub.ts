import type { TensorMap } from '@modelwright/core';
import type { GenerationService } from './generation.js';
import type { ModelConfiguration } from './model-configuration.js';
import type { ModelIndexEntry, ModelInfo, ModelStatistics } from './model-info.js';

/** Tensors for a model. */
export interface InferenceRequest {
  readonly model: string;
  /** Left out: the version that policy and routing choose. */
  readonly version?: string;
  readonly inputs: TensorMap;
  /** Only these outputs; default all. */
  readonly outputs?: readonly string[];
  /** 1 is served first. */
  readonly priority?: number;
}

/** Where the time of a request went, in nanoseconds. */
export interface InferenceTiming {
  readonly queue: number;
  readonly computeInput: number;
  readonly computeInfer: number;
  readonly computeOutput: number;
}

/** Answers, and who gave them. */
export interface InferenceResult {
  readonly model: string;
  readonly version: string;
  readonly outputs: TensorMap;
  readonly timing: InferenceTiming;
  /** Examples that ran together with these. */
  readonly batchSize: number;
}

/** Limits of one call. */
export interface CallOptions {
  readonly signal?: AbortSignal;
  /** Makes the signal once it is needed, which it is not where the answer comes soon. */
  readonly openSignal?: () => AbortSignal;
  /** On the clock of `performance.now()`, in milliseconds: past it the call fails with `deadline-exceeded`. */
  readonly deadline?: number;
}

/** Inputs as people have them (a picture, a sentence), through the model's processing to labels or vectors. */
export interface RawRequest {
  readonly model: string;
  readonly version?: string;
  /** One entry an example: bytes of a PNG or JPEG, or a text; by input name, or the value alone for a model of one input. */
  readonly examples: readonly (Uint8Array | string | Readonly<Record<string, Uint8Array | string>>)[];
}

/** One example's answer by output name: `[{ label: '7', score: 0.99 }, …]`, a vector, or plain numbers. */
export type RawAnswer = Readonly<Record<string, unknown>>;

/** Answers to raw inputs. */
export interface RawResult {
  readonly version: string;
  readonly answers: readonly RawAnswer[];
  /** Tokens that the texts had, where there were any. */
  readonly inputTokens?: number;
}

/**
 * All models of a server, as protocols see them. A handler gets the view of one caller: every call checks that the caller may, and
 * lists hold what the caller may read. What a caller may not read does not exist for them (`model-not-found`).
 *
 * All calls may throw a {@link ModelwrightError} `model-not-found`, `permission-denied`, `model-unavailable`, `rate-limited`; calls
 * that run, also `invalid-argument`, `shape-mismatch`, `dtype-mismatch`, `queue-full`, `deadline-exceeded`, `aborted`,
 * `backend-failure`.
 */
export interface ModelHub {
  index(): readonly ModelIndexEntry[];
  info(model: string, version?: string): ModelInfo;
  /** Whether one model, or (without arguments) every model that should be, is ready. */
  isReady(model?: string, version?: string): boolean;
  configuration(model: string, version?: string): ModelConfiguration;
  /** Throws `model-not-found` if the model or version is not there, or the caller may do nothing at all with it; else does nothing. */
  find(model: string, version?: string): void;
  statistics(model?: string, version?: string): readonly ModelStatistics[];
  infer(request: InferenceRequest, options?: CallOptions): Promise<InferenceResult>;
  inferRaw(request: RawRequest, options?: CallOptions): Promise<RawResult>;
  /** Permission `infer`; its tokens are counted by the hub. `unsupported-op` if the model does not generate. */
  generation(model: string, version?: string): GenerationService;
  load(model: string): Promise<void>;
  unload(model: string): Promise<void>;
}
