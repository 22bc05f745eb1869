import type { Tensor } from '../tensor/tensor.js';
import type { NoAttributes, OpFamily } from './definition.js';
import { pending } from './pending.js';

/** Attributes of the constants, ranges, casts and shapes, by op. */
export interface CreationAttributes {
  Constant: { value: Tensor };
  ConstantOfShape: { value?: Tensor };
  Shape: { start: number; end?: number };
  Size: NoAttributes;
  Range: NoAttributes;
  /** `to` is an ONNX data type number; see {@link onnxDataType}. */
  Cast: { to: number; saturate: number };
  CastLike: { saturate: number };
}

/** Constants, ranges, casts and shapes. */
export const creation: OpFamily<CreationAttributes> = pending<CreationAttributes>();
