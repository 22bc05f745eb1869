import type { OpFamily } from './definition.js';
import { pending } from './pending.js';
import type { PoolAttributes } from './pooling.js';

/** Attributes of the gradients of pooling ops (own domain), by op. */
export interface PoolingGradientAttributes {
  /** `(x, y, dy)` → gradient of `MaxPool`'s input; of equal maxima in a window the first in row-major order takes all. */
  MaxPoolGradient: PoolAttributes;
  /** `(dy)` → gradient of `AveragePool`'s input of shape `input_shape`. */
  AveragePoolGradient: PoolAttributes & { count_include_pad: number; input_shape: readonly number[] };
}

/** Gradients of pooling ops (own domain). */
export const poolingGradient: OpFamily<PoolingGradientAttributes> = pending<PoolingGradientAttributes>();
