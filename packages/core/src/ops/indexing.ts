import type { NoAttributes, OpFamily } from './definition.js';
import { pending } from './pending.js';

export type ScatterReduction = 'none' | 'add' | 'mul' | 'max' | 'min';

/** Attributes of the indexing ops, by op. */
export interface IndexingAttributes {
  Gather: { axis: number };
  GatherElements: { axis: number };
  GatherND: { batch_dims: number };
  ScatterElements: { axis: number; reduction: ScatterReduction };
  ScatterND: { reduction: ScatterReduction };
  OneHot: { axis: number };
  Trilu: { upper: number };
  NonZero: NoAttributes;
  Compress: { axis?: number };
  EyeLike: { k: number; dtype?: number };
}

/** Indexing ops. */
export const indexing: OpFamily<IndexingAttributes> = pending<IndexingAttributes>();
