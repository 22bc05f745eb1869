import type { Value } from '@modelwright/core';
import { type ActivationLike, activationOf } from '../activations.js';
import type { InitializerLike } from '../initializers/initializer.js';
import { floatDType, type LayerContext, type LayerOptions } from '../layer.js';
import type { ConstraintLike } from '../weights/constraints.js';
import type { RegularizerLike } from '../weights/regularizers.js';

/** Options of a kernel and a bias. */
export interface ProjectionOptions {
  /** Default true. */
  readonly useBias?: boolean;
  /** Default glorotUniform. */
  readonly kernelInitializer?: InitializerLike;
  /** Default zeros. */
  readonly biasInitializer?: InitializerLike;
  readonly kernelRegularizer?: RegularizerLike;
  readonly biasRegularizer?: RegularizerLike;
  readonly kernelConstraint?: ConstraintLike;
  readonly biasConstraint?: ConstraintLike;
}

/** Options of layers with a kernel and a bias. */
export interface KernelOptions extends LayerOptions, ProjectionOptions {
  /** Default linear. */
  readonly activation?: ActivationLike;
}

/** The bias of a layer with `count` outputs, unless the user wants none. */
export function addBias(
  context: LayerContext,
  options: KernelOptions,
  { count, like }: { count: number; like: Value },
): Value | undefined {
  if (options.useBias === false) return undefined;
  return context.addWeight({
    name: 'bias',
    shape: [count],
    initializer: options.biasInitializer ?? 'zeros',
    regularizer: options.biasRegularizer,
    constraint: options.biasConstraint,
    dtype: floatDType(context, like),
  });
}

/** Applies the layer's activation. */
export function activate(context: LayerContext, value: Value, activation: ActivationLike | undefined): Value {
  return activation === undefined ? value : activationOf(activation)(context.builder, value);
}
