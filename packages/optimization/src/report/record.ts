import type { Estimate, Interval } from './confidence.js';
import type { Speed } from './measure-speed.js';

/** What the user's own function found of a model. */
export interface Quality extends Partial<Interval> {
  /** `accuracy` unless the function gives another name. */
  readonly name: string;
  readonly value: number;
  /** How many examples it was judged by: with it, shares have a range. */
  readonly count?: number;
}

/** Speed on one backend. */
export interface BackendSpeed {
  /** `onnxruntime:cpu` */
  readonly backend: string;
  readonly threads: number;
  /** One example at a time. */
  readonly latency: Speed;
  /** As many as give throughput. */
  readonly throughput: Speed;
  /** By how much a process of its own grew at most to load the model and run that many examples. */
  readonly memoryBytes?: Estimate;
}

/** How far one layer's result is from what it was before the step. */
export interface LayerError {
  /** The node of the model before the step: `stem.conv/Conv`. */
  readonly layer: string;
  readonly op: string;
  /** `‖after − before‖ / ‖before‖` of the layer's result, all layers before it changed as well. */
  readonly accumulatedError: number;
  /** The same where the layer alone is changed and takes what it took before the step. */
  readonly ownError: number;
  /** Relative change of the model's outputs where this layer alone is changed: what the layer does to the result. */
  readonly outputError: number;
}

/** The layers that a step changed, the one that hurts the outputs most first. */
export interface LayerErrors {
  readonly layers: readonly LayerError[];
  /** Relative change of the model's outputs by the whole step. */
  readonly outputError: number;
  /** Layers that have another width or scale than before, so that there is nothing to compare. */
  readonly otherLayers: number;
  /** Examples compared. */
  readonly examples: number;
}

/** A model at one point of the pipeline. */
export interface StageRecord {
  /** The step that made it; the first is `original`. */
  readonly name: string;
  /** How long the step took. */
  readonly seconds: number;
  readonly quality?: Quality;
  readonly fileBytes: number;
  /** Through gzip. */
  readonly compressedBytes: number;
  readonly weights: number;
  readonly nonZeroWeights: number;
  /** Bytes of the weights as stored. */
  readonly weightBytes: number;
  /** For one example; left out where the graph does not tell. */
  readonly multiplyAdds?: number;
  /** Weights and, at the worst moment, what flows between layers, for one example; computed from the graph. */
  readonly peakMemoryBytes?: number;
  readonly speeds: readonly BackendSpeed[];
  /** Against the stage before; left out for steps that train, whose layers mean something else afterwards. */
  readonly errors?: LayerErrors;
  readonly notes: readonly string[];
}

/** What optimizing a model cost and gained, as data. */
export interface OptimizationRecord {
  readonly format: 'modelwright-optimization';
  readonly version: 1;
  readonly model: string;
  /** When it was finished, ISO 8601. */
  readonly date: string;
  readonly stages: readonly StageRecord[];
}
