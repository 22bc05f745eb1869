import type { Model, Value } from '@modelwright/core';
import type { LossLike } from '../losses/loss-by-name.js';
import type { Optimizer } from '../optimizers/optimizer.js';
import type { OptimizerName } from '../optimizers/optimizer-by-name.js';
import type { Arithmetic } from '../symbolic/arithmetic.js';

/** Models by the names that steps call them. */
export type Models = { readonly [name: string]: Model };

/** One way of training: what is changed, and what is made small by it. */
export interface JointStep<Name extends string = string> {
  /** Models whose weights the step changes; those of all others it only reads. */
  readonly trains: Name | readonly Name[];
  /** By name (with its defaults) or made by its factory. Default `adam`. */
  readonly optimizer?: OptimizerName | Optimizer;
  /** Builds the loss, from what the step is fed and from the models. */
  readonly loss: (context: JointStepContext<Name>) => Value | JointLoss;
}

/** A loss with other results of a step. */
export interface JointLoss {
  /** One number; of several their mean. */
  readonly loss: Value;
  /** Given back by each run. */
  readonly outputs?: { readonly [name: string]: Value };
}

/** What {@link JointStep.loss} builds with. */
export interface JointStepContext<Name extends string = string> {
  readonly arithmetic: Arithmetic;
  /** What the step is fed under a name. */
  input(name: string): Value;
  /**
   * Runs a model that has one output. Several runs of it share its weights.
   *
   * @param inputs - Its input, or its inputs by name.
   */
  apply(model: Name, inputs: Value | { readonly [input: string]: Value }, options?: ApplyOptions): Value;
  /** As {@link apply}: all outputs by name. */
  applyAll(
    model: Name,
    inputs: Value | { readonly [input: string]: Value },
    options?: ApplyOptions,
  ): { readonly [output: string]: Value };
  /**
   * Mean of a loss over a batch, as the trainer of a single model takes it.
   *
   * @param target - As the loss takes it, or one number for all.
   */
  meanLoss(loss: LossLike, prediction: Value, target: Value | number): Value;
  /**
   * Gradients of `value`, or of its sum, by some of the values it was made of: for penalties on gradients, which are
   * differentiated once more.
   *
   * @returns one for each of `by`, of its shape.
   * @throws {@link ModelwrightError} `not-differentiable` naming the node in the way.
   */
  gradients(value: Value, by: readonly Value[]): readonly Value[];
  /** `value`, but gradients end there. */
  stopGradient(value: Value): Value;
}

export interface ApplyOptions {
  /**
   * Run the model in the form it trains in: with dropout, and with statistics of the batch, which become part of the running
   * ones if the step trains the model. Default true.
   */
  readonly training?: boolean;
}
