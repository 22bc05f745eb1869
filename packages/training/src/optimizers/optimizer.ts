import type { Value } from '@modelwright/core';
import type { Schedule } from '../schedules/schedule.js';
import type { Arithmetic } from '../symbolic/arithmetic.js';

/** What an optimizer remembers of each weight. */
export interface SlotSpecification {
  readonly name: string;
  /** Every element of the slot before the first step. Default 0. */
  readonly initial?: number;
}

/** Numbers that are the same for all weights, computed once a step on scalars. */
export interface StepContext {
  readonly arithmetic: Arithmetic;
  /** Float64 scalar: 1 at the first update. */
  readonly step: Value;
  /** Float64 scalar. */
  readonly learningRate: Value;
  /** The optimizer's own scalars, float64. */
  readonly scalars: { readonly [name: string]: Value };
}

/** What {@link Optimizer.prepare} gives. */
export interface PreparedStep {
  /** Float64 scalars that {@link Optimizer.update} uses; they come to it in the weight's dtype. */
  readonly shared: { readonly [name: string]: Value };
  /** What the optimizer's own scalars become. */
  readonly scalars?: { readonly [name: string]: Value };
}

/** One weight's step. All values have the weight's shape, those of `shared` none. */
export interface UpdateContext {
  readonly arithmetic: Arithmetic;
  readonly weight: Value;
  readonly gradient: Value;
  readonly slots: { readonly [name: string]: Value };
  readonly shared: { readonly [name: string]: Value };
}

export interface Update {
  readonly weight: Value;
  readonly slots: { readonly [name: string]: Value };
}

/** Options that every optimizer takes, as in Keras. */
export interface CommonOptimizerOptions {
  /** A number, or a schedule over steps. */
  readonly learningRate?: number | Schedule;
  /**
   * Decoupled weight decay: each step first multiplies weights by `1 − learningRate · weightDecay` (Loshchilov and Hutter,
   * arXiv:1711.05101). For the L2 penalty that PyTorch's `weight_decay` means outside of AdamW, give layers a regularizer.
   */
  readonly weightDecay?: number;
  /** Weights (by name) that do not decay: biases and normalization scales, say. */
  readonly excludeFromWeightDecay?: (name: string) => boolean;
  /** Gradients are held within ±this. */
  readonly clipValue?: number;
  /** Each weight's gradient is scaled down to at most this norm. */
  readonly clipNorm?: number;
  /** All gradients are scaled down together to at most this norm. */
  readonly globalClipNorm?: number;
  /** Keep an exponential moving average of the weights: `average′ = momentum · average + (1 − momentum) · weight`. */
  readonly ema?: boolean | { readonly momentum?: number };
  /** Update once for every this many batches, with the mean of their gradients. Default 1. */
  readonly gradientAccumulationSteps?: number;
}

/**
 * How weights change, written in ops of the graph: simple elementwise arithmetic on each weight (so that a backend can fuse
 * it into one pass) and anything at all on scalars.
 */
export interface Optimizer {
  readonly name: string;
  readonly options: CommonOptimizerOptions;
  readonly learningRate: number | Schedule;
  readonly slots: readonly SlotSpecification[];
  /** Own scalars (float64) and their values before the first step. */
  readonly scalars?: { readonly [name: string]: number };
  prepare(context: StepContext): PreparedStep;
  update(context: UpdateContext): Update;
}
