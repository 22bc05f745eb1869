import type { NoAttributes, OpFamily } from './definition.js';
import { pending } from './pending.js';

/** Attributes of the activation ops, by op. */
export interface ActivationAttributes {
  Relu: NoAttributes;
  Sigmoid: NoAttributes;
  Tanh: NoAttributes;
  Softplus: NoAttributes;
  Softsign: NoAttributes;
  HardSwish: NoAttributes;
  Erf: NoAttributes;
  LeakyRelu: { alpha: number };
  PRelu: NoAttributes;
  Elu: { alpha: number };
  Celu: { alpha: number };
  Selu: { alpha: number; gamma: number };
  HardSigmoid: { alpha: number; beta: number };
  ThresholdedRelu: { alpha: number };
  Shrink: { lambd: number; bias: number };
  Gelu: { approximate: 'none' | 'tanh' };
  Mish: NoAttributes;
  Swish: { alpha: number };
  /** Own domain: `(dy, y)` → `dy` where `y > 0`, else 0. */
  ReluGradient: NoAttributes;
}

/** Activation ops. */
export const activation: OpFamily<ActivationAttributes> = pending<ActivationAttributes>();
