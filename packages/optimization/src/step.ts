import type { Backend, DType, Model, TensorMap, TrainingExtension } from '@modelwright/core';

/** What each step of {@link OptimizationStep} may use besides the model. */
export interface OptimizationContext {
  /** Where samples are run and results are measured. */
  readonly backend: Backend;
  /** Inputs of typical batches, by input name; every call goes through them from the beginning. Absent when none were given. */
  readonly calibration?: () => AsyncIterable<TensorMap>;
  /** The user's own measure of a model, where larger is better: accuracy, say. */
  readonly evaluate?: (model: Model) => Promise<number>;
  /** What earlier steps want kept by any training that follows: masks of pruned weights, shared centroids. */
  readonly extensions: readonly TrainingExtension[];
  /** Tells how far a long step is: `done` of `total` things. */
  readonly progress?: (done: number, total: number, what: string) => void;
  readonly signal?: AbortSignal;
}

/** What a step gives back when later training has to respect it; a bare model otherwise. */
export interface StepResult {
  readonly model: Model;
  /** Added to those of earlier steps. */
  readonly extensions?: readonly TrainingExtension[];
  /** Facts for the report: what was pruned or quantized, what was left and why. */
  readonly notes?: readonly string[];
}

/** One technique with its options: a function from model to model that `optimize` applies, measures and reports. */
export interface OptimizationStep {
  /** As the report shows it: `pruneChannels 50 %`. */
  readonly name: string;
  /**
   * Ops and dtypes that its result will need, as far as they are known beforehand: `optimize` refuses a backend that lacks
   * them before any step runs.
   */
  readonly requires?: { readonly ops?: readonly string[]; readonly dtypes?: readonly DType[] };
  /** Whether it trains: layers then mean something else afterwards, and the report does not compare them. Default false. */
  readonly trains?: boolean;
  apply(model: Model, context: OptimizationContext): Promise<StepResult>;
}
