import type { OpFamily } from './definition.js';
import { pending } from './pending.js';

/** As in ONNX; where `strides`, `dilations`, `pads` are left out they are 1, 1, 0. */
export interface ConvAttributes {
  auto_pad: 'NOTSET' | 'SAME_UPPER' | 'SAME_LOWER' | 'VALID';
  group: number;
  kernel_shape?: readonly number[];
  strides?: readonly number[];
  dilations?: readonly number[];
  pads?: readonly number[];
}

/** Attributes of the convolutions, by op. */
export interface ConvolutionAttributes {
  Conv: ConvAttributes;
  ConvTranspose: ConvAttributes & { output_padding?: readonly number[]; output_shape?: readonly number[] };
}

/** Convolutions. */
export const convolution: OpFamily<ConvolutionAttributes> = pending<ConvolutionAttributes>();
