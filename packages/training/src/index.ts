export * from './callbacks/callback.js';
export * from './callbacks/early-stopping.js';
export type { MonitorOptions } from './callbacks/improvement.js';
export * from './callbacks/learning-rate.js';
export * from './callbacks/loggers.js';
export * from './callbacks/model-checkpoint.js';
export * from './callbacks/terminate-on-nan.js';
export * from './checkpoint/index.js';
export * from './data/index.js';
export * from './history/index.js';
export type { ApplyOptions, JointLoss, JointStep, JointStepContext, Models } from './joint/joint-step.js';
export * from './joint/joint-trainer.js';
export {
  binaryCrossentropy,
  binaryFocalCrossentropy,
  type CrossEntropyOptions,
  categoricalCrossentropy,
  categoricalFocalCrossentropy,
  type FocalOptions,
  kullbackLeiblerDivergence,
  type SparseCrossEntropyOptions,
  sparseCategoricalCrossentropy,
} from './losses/classification.js';
export { type CtcOptions, ctc } from './losses/ctc.js';
export {
  customLoss,
  type Loss,
  type LossContext,
  type LossFunction,
  type Prediction,
  type TargetKind,
} from './losses/loss.js';
export { type LossLike, type LossName, lossNames, toLoss } from './losses/loss-by-name.js';
export * from './losses/regression.js';
export {
  accuracy,
  binaryAccuracy,
  categoricalAccuracy,
  sparseCategoricalAccuracy,
  topKCategoricalAccuracy,
} from './metrics/accuracy.js';
export * from './metrics/area-under-curve.js';
export * from './metrics/classification-counts.js';
export { customMetric, type Metric, type MetricContext, type MetricSums, meanMetric } from './metrics/metric.js';
export { type MetricLike, metricNames, toMetric } from './metrics/metric-by-name.js';
export * from './metrics/perplexity.js';
export * from './metrics/regression.js';
export * from './optimizers/adam.js';
export * from './optimizers/adaptive.js';
export * from './optimizers/optimizer.js';
export { type OptimizerName, optimizerNames, toOptimizer } from './optimizers/optimizer-by-name.js';
export * from './optimizers/sgd.js';
export type { BatchRole } from './program/batch-role.js';
export type { BatchSignature, TensorType, TensorTypes } from './program/batch-signature.js';
export type { MetricOutputs, OutputObjective } from './program/objective.js';
export { type ObjectiveProgram, type TrainingRecipe, trainingProgram } from './program/training-program.js';
export * from './progress/index.js';
export * from './schedules/schedule.js';
export { Arithmetic, type Operand } from './symbolic/arithmetic.js';
export type { Logs } from './trainer/aggregate.js';
export { createTrainer, type TrainerOptions } from './trainer/create-trainer.js';
export type { FitOptions } from './trainer/fit-options.js';
export type { ObjectiveOptions } from './trainer/objectives.js';
export type { DataLike } from './trainer/prepare-data.js';
export * from './trainer/trainer.js';
