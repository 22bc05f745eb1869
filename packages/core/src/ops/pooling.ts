import type { NoAttributes, OpFamily } from './definition.js';
import { pending } from './pending.js';

export interface PoolAttributes {
  auto_pad: 'NOTSET' | 'SAME_UPPER' | 'SAME_LOWER' | 'VALID';
  ceil_mode: number;
  kernel_shape: readonly number[];
  strides?: readonly number[];
  dilations?: readonly number[];
  pads?: readonly number[];
}

/** Attributes of the pooling ops, by op. */
export interface PoolingAttributes {
  /** Outputs `(y, indices?)`. */
  MaxPool: PoolAttributes & { storage_order: number };
  AveragePool: PoolAttributes & { count_include_pad: number };
  LpPool: PoolAttributes & { p: number };
  GlobalAveragePool: NoAttributes;
  GlobalMaxPool: NoAttributes;
  GlobalLpPool: { p: number };
  MaxUnpool: { kernel_shape: readonly number[]; strides?: readonly number[]; pads?: readonly number[] };
}

/** Pooling ops. */
export const pooling: OpFamily<PoolingAttributes> = pending<PoolingAttributes>();
