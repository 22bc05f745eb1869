import type { OpFamily } from './definition.js';
import { pending } from './pending.js';

/** Axes are input 1 (an int64 vector); none means all, or nothing with `noop_with_empty_axes`. */
export interface ReduceAttributes {
  keepdims: number;
  noop_with_empty_axes: number;
}

export interface ArgAttributes {
  axis: number;
  keepdims: number;
  select_last_index: number;
}

/** Attributes of the reductions, by op. */
export interface ReductionAttributes {
  ReduceSum: ReduceAttributes;
  ReduceMean: ReduceAttributes;
  ReduceMax: ReduceAttributes;
  ReduceMin: ReduceAttributes;
  ReduceProd: ReduceAttributes;
  ReduceL1: ReduceAttributes;
  ReduceL2: ReduceAttributes;
  ReduceLogSum: ReduceAttributes;
  ReduceLogSumExp: ReduceAttributes;
  ReduceSumSquare: ReduceAttributes;
  ArgMax: ArgAttributes;
  ArgMin: ArgAttributes;
  /** Inputs `(x, k)`, outputs `(values, indices)`. */
  TopK: { axis: number; largest: number; sorted: number };
  CumSum: { exclusive: number; reverse: number };
}

/** Reductions. */
export const reduction: OpFamily<ReductionAttributes> = pending<ReductionAttributes>();
