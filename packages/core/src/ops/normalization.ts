import { batchNormalization } from './batch-normalization.js';
import type { OpFamily } from './definition.js';
import { groupNormalization } from './group-normalization.js';
import { layerNormalization } from './layer-normalization.js';
import { localResponseNormalization } from './local-response-normalization.js';
import { softmax } from './softmax.js';
import { vectorNormalization } from './vector-normalization.js';

/** Attributes of the normalization ops, by op. */
export interface NormalizationAttributes {
  Softmax: { axis: number };
  LogSoftmax: { axis: number };
  Hardmax: { axis: number };
  /** `(x, scale, bias, mean, variance)`; the training form has 3 outputs. */
  BatchNormalization: { epsilon: number; momentum: number; training_mode: number };
  LayerNormalization: { axis: number; epsilon: number; stash_type: number };
  InstanceNormalization: { epsilon: number };
  GroupNormalization: { epsilon: number; num_groups: number; stash_type: number };
  RMSNormalization: { axis: number; epsilon: number; stash_type: number };
  LpNormalization: { axis: number; p: number };
  MeanVarianceNormalization: { axes: readonly number[] };
  LRN: { alpha: number; beta: number; bias: number; size: number };
  /** Own domain: `(x, scale, bias)` → `(y, mean, variance)` with the statistics of this batch (population variance) over all axes but 1. */
  BatchNormalizationTraining: { epsilon: number };
  /** Own domain: `(dy, x, scale, mean, variance)` → `(dx, dscale, dbias)`. */
  BatchNormalizationGradient: { epsilon: number };
}

/** Normalization ops. */
export const normalization: OpFamily<NormalizationAttributes> = {
  ...softmax,
  ...batchNormalization,
  ...layerNormalization,
  ...groupNormalization,
  ...vectorNormalization,
  ...localResponseNormalization,
};
