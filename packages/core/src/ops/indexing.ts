import type { NoAttributes, OpFamily } from './definition.js';
import { gathering } from './gathering.js';
import { masking } from './masking.js';
import { scattering } from './scattering.js';

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
export const indexing: OpFamily<IndexingAttributes> = { ...gathering, ...scattering, ...masking };
