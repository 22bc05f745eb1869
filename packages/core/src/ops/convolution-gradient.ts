import type { ConvAttributes } from './convolution.js';
import type { OpFamily } from './definition.js';
import { pending } from './pending.js';

/** Attributes of the gradients of convolutions (own domain), by op. */
export interface ConvolutionGradientAttributes {
  /** `(dy, w)` → gradient of `Conv`'s input; `input_shape` is that input's whole shape. Pads are explicit. */
  ConvInputGradient: ConvAttributes & { input_shape: readonly number[] };
  /** `(x, dy)` → gradient of `Conv`'s weight; `weight_shape` is its whole shape. Pads are explicit. */
  ConvWeightGradient: ConvAttributes & { weight_shape: readonly number[] };
}

/** Gradients of convolutions (own domain). */
export const convolutionGradient: OpFamily<ConvolutionGradientAttributes> = pending<ConvolutionGradientAttributes>();
