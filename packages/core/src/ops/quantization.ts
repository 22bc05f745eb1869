import type { ConvAttributes } from './convolution.js';
import type { NoAttributes, OpFamily } from './definition.js';
import { pending } from './pending.js';

/** Attributes of the quantization ops, by op. */
export interface QuantizationAttributes {
  /** `(x, scale, zero_point?)` */
  QuantizeLinear: { axis: number; block_size: number; output_dtype: number; saturate: number };
  DequantizeLinear: { axis: number; block_size: number };
  DynamicQuantizeLinear: NoAttributes;
  MatMulInteger: NoAttributes;
  ConvInteger: ConvAttributes;
}

/** Quantization ops. */
export const quantization: OpFamily<QuantizationAttributes> = pending<QuantizationAttributes>();
