import type { OpFamily } from './definition.js';
import { pending } from './pending.js';

/** Attributes of the random ops, by op. */
export interface RandomAttributes {
  RandomNormal: { dtype: number; mean: number; scale: number; seed?: number; shape: readonly number[] };
  RandomUniform: { dtype: number; high: number; low: number; seed?: number; shape: readonly number[] };
  RandomNormalLike: { dtype?: number; mean: number; scale: number; seed?: number };
  RandomUniformLike: { dtype?: number; high: number; low: number; seed?: number };
  Bernoulli: { dtype?: number; seed?: number };
  Multinomial: { dtype: number; sample_size: number; seed?: number };
  /** `(data, ratio?, training_mode?)` → `(output, mask?)` */
  Dropout: { seed?: number };
  /**
   * Own domain: `(counter int64 scalar)` → uniform numbers in [0, 1) of `shape` and `dtype`, a pure function of seed, counter and index:
   * the same counter gives the same numbers on every backend.
   */
  CounterUniform: { seed: number; shape: readonly number[]; dtype: number };
}

/** Random ops. */
export const random: OpFamily<RandomAttributes> = pending<RandomAttributes>();
