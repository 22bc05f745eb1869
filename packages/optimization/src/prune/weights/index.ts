export { type KeepZerosOptions, keepZeros } from './keep-zeros.js';
export { magnitudePruning } from './magnitude-pruning.js';
export { movementPruning } from './movement-pruning.js';
export { type PrunableWeight, prunableWeights, type WeightSelection } from './prunable-weights.js';
export type { PruneWeightsOptions } from './prune-once.js';
export { type PruneWeightsStepOptions, pruneWeights } from './prune-weights.js';
export { type PruneWhileTrainingOptions, pruneWhileTraining } from './prune-while-training.js';
export {
  type LayerRatios,
  type PruningSensitivity,
  type SensitivityPoint,
  type SensitivityScan,
  type SensitivityScanOptions,
  scanSensitivity,
} from './scan-sensitivity.js';
export type { TrainedPruningOptions } from './scheduled-pruning.js';
export type { MaskOptions } from './sparsity-mask.js';
export type { SparsityPattern } from './sparsity-pattern.js';
export {
  type ConstantSparsityOptions,
  constantSparsity,
  type PolynomialSparsityOptions,
  polynomialSparsity,
  type ScheduleOptions as SparsityScheduleOptions,
  type SparsitySchedule,
} from './sparsity-schedule.js';
export { stripPruning } from './strip-pruning.js';
export { followsPattern, type ModelSparsity, type WeightSparsity, weightSparsity } from './weight-sparsity.js';
