import type { Processing, TensorInfo } from '@modelwright/deployment';

/** Triton's names for what a version of a model is up to. */
export type ModelState = 'UNAVAILABLE' | 'LOADING' | 'READY' | 'UNLOADING';

/** A line of the repository's index. */
export interface ModelIndexEntry {
  readonly name: string;
  readonly version: string;
  readonly state: ModelState;
  /** Why it is not ready: `signature of model 'digits' is not valid`. Empty when it is. */
  readonly reason: string;
}

/** What a loaded version of a model is. */
export interface ModelInfo {
  readonly name: string;
  readonly version: string;
  /** `onnx_onnxv1` */
  readonly platform: string;
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
  /** 0: the model has no batch axis. */
  readonly maxBatchSize: number;
  /** Of the model's bytes, lower-case hexadecimal: which weights answered. */
  readonly sha256: string;
  /** What it can be asked for beside tensors. */
  readonly abilities: { readonly generates: boolean; readonly embeds: boolean; readonly takesRawInputs: boolean };
  /** What stands before and behind it, so that a page knows whether to draw, type or enter numbers. */
  readonly processing?: Processing;
  readonly loadedAt: Date;
}

/** How often, and how long in all. */
export interface DurationStatistic {
  readonly count: number;
  /** Nanoseconds, as Triton gives them. */
  readonly ns: number;
}

/** Counts and times of a version since it was loaded, as Triton's statistics extension names them. */
export interface ModelStatistics {
  readonly name: string;
  readonly version: string;
  /** Milliseconds since the epoch. */
  readonly lastInference: number;
  /** Examples. */
  readonly inferenceCount: number;
  /** Batches run. */
  readonly executionCount: number;
  readonly inferenceStats: {
    readonly success: DurationStatistic;
    readonly fail: DurationStatistic;
    readonly queue: DurationStatistic;
    readonly computeInput: DurationStatistic;
    readonly computeInfer: DurationStatistic;
    readonly computeOutput: DurationStatistic;
  };
  readonly batchStats: readonly { readonly batchSize: number; readonly computeInfer: DurationStatistic }[];
  /** Requests that wait now. */
  readonly pendingCount: number;
  readonly memoryBytes: number;
}
