import type { Model, TensorMap } from '@modelwright/core';
import type { GoldenSet, Processing } from '@modelwright/deployment';
import type { Tokenizer } from '@modelwright/text';
import type { GenerationService } from './generation.js';
import type { ModelConfiguration } from './model-configuration.js';
import type { InferenceTiming } from './model-hub.js';
import type { ModelInfo, ModelStatistics } from './model-info.js';

/** A version of a model as it came out of the repository: read, decrypted, verified. */
export interface ModelArtifact {
  readonly name: string;
  readonly version: string;
  readonly model: Model;
  /** The plain `.onnx` bytes, for a process or worker of its own; external data already inside. */
  readonly bytes: Uint8Array;
  readonly sha256: string;
  readonly configuration: ModelConfiguration;
  readonly processing?: Processing;
  /** By the file names that `processing` has. */
  readonly tokenizers: ReadonlyMap<string, Tokenizer>;
  /** Inputs with known answers, if it comes from a bundle: it must give them before it serves. */
  readonly golden?: GoldenSet;
}

/** Answers of one request. */
export interface ServedResult {
  readonly outputs: TensorMap;
  readonly timing: InferenceTiming;
  readonly batchSize: number;
}

/** Limits of one call, and what is wanted of it. */
export interface InferenceOptions {
  /** Only these outputs; default all. */
  readonly outputs?: readonly string[];
  readonly signal?: AbortSignal;
  /** Makes the signal once it is needed, which it is not where the answer comes soon. */
  readonly openSignal?: () => AbortSignal;
  /** On the clock of `performance.now()`. */
  readonly deadline?: number;
  /** 1 is served first. Default last. */
  readonly priority?: number;
}

/** A version of a model that runs requests: queue, batches, and what computes. */
export interface ServedModel {
  readonly info: ModelInfo;
  readonly memoryBytes: number;
  /** What somebody who serves it should know: why its requests do not run together, say. */
  readonly notes?: readonly string[];
  /**
   * @throws {@link ModelwrightError} `invalid-argument`, `shape-mismatch`, `dtype-mismatch`, `queue-full`, `deadline-exceeded`,
   *   `aborted`, `model-unavailable`, `backend-failure`.
   */
  infer(inputs: TensorMap, options: InferenceOptions): Promise<ServedResult>;
  /** There if the model generates. */
  readonly generation?: GenerationService;
  statistics(): ModelStatistics;
  /** Takes no more requests; those that wait or run are finished first, for at most `drainMilliseconds`. Idempotent. */
  dispose(drainMilliseconds?: number): Promise<void>;
}
