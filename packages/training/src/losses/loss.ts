import type { Value } from '@modelwright/core';
import type { Arithmetic } from '../symbolic/arithmetic.js';

/** What a model predicts, and what stood before its last activation where that makes a loss exact. */
export interface Prediction {
  readonly value: Value;
  /** The input of the softmax (over the last axis) or sigmoid that made `value`. */
  readonly logits?: { readonly value: Value; readonly activation: 'softmax' | 'sigmoid' };
}

/** What a loss is built from. */
export interface LossContext {
  readonly arithmetic: Arithmetic;
  /** `[batch, …, features]` in the prediction's dtype, or int64 `[batch, …]` for losses of labels. */
  readonly target: Value;
  readonly prediction: Prediction;
  /**
   * bool `[batch, steps]`: which steps of the prediction count. The trainer leaves out the others; only a loss that gives one
   * number for a whole sequence has to do so itself.
   */
  readonly mask?: Value | undefined;
}

/**
 * What targets a loss takes. `classes`: integers, one less axis than the prediction. `dense`: numbers, shaped as the
 * prediction. `sequences`: integers `[batch, labels]`, as many as there are, whatever the prediction's steps.
 */
export type TargetKind = 'dense' | 'classes' | 'sequences';

/**
 * How far predictions are from targets: a function of symbolic values, differentiated by the trainer.
 */
export interface Loss {
  readonly name: string;
  readonly targets: TargetKind;
  /** Label that counts for nothing, for losses of class labels. */
  readonly ignoredClass?: number;
  /**
   * One number an example (and position): the prediction's shape without its last axis. The trainer weights them and takes
   * their mean.
   */
  build(context: LossContext): Value;
}

/** A loss as a plain function of symbolic values. */
export type LossFunction = (context: LossContext) => Value;

/**
 * A loss of one's own.
 *
 * @param name - Shown in logs.
 * @param build - Gives one number an example.
 * @param options.targets - `classes` for integer labels, `sequences` for rows of them; default `dense`.
 * @returns a loss that `createTrainer` takes.
 * @example
 * const pinball = customLoss('pinball', ({ arithmetic: a, target, prediction }) => {
 *   const error = a.subtract(target, prediction.value);
 *   return a.mean(a.maximum(a.multiply(error, 0.9), a.multiply(error, -0.1)), [-1]);
 * });
 */
export function customLoss(name: string, build: LossFunction, options: { readonly targets?: TargetKind } = {}): Loss {
  return { name, targets: options.targets ?? 'dense', build };
}

/** Keras's fuzz factor: what keeps logarithms and quotients finite. */
export const fuzz = 1e-7;

/** Mean over the features; a prediction without a feature axis is left as it is. */
export function meanOfFeatures(arithmetic: Arithmetic, values: Value): Value {
  return values.shape.length > 1 ? arithmetic.mean(values, [-1]) : values;
}

/** Sum over the features. */
export function sumOfFeatures(arithmetic: Arithmetic, values: Value): Value {
  return values.shape.length > 1 ? arithmetic.sum(values, [-1]) : values;
}
