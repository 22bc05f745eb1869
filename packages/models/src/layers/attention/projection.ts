import type { Value } from '@modelwright/core';
import type { ActivationLike } from '../../activations.js';
import { floatDType, type LayerContext, requireKnown } from '../../layer.js';
import { permutedLayout } from '../../weights/keras-layout.js';
import { activate, type ProjectionOptions } from '../kernel-options.js';

export interface Projection {
  /** Of the weights: `query` gives `query.kernel` and `query.bias`. */
  readonly name: string;
  /** Axes of the kernel in Keras that `x`'s last axis stands for, where they are several. */
  readonly from?: readonly number[];
  /** Axes of the kernel in Keras that the output's last axis stands for. */
  readonly to: readonly number[];
  readonly activation?: ActivationLike | undefined;
}

const countOf = (shape: readonly number[]): number => shape.reduce((product, extent) => product * extent, 1);

/** `x · kernel + bias` over the last axis: a dense layer inside another. */
export function project(context: LayerContext, x: Value, projection: Projection, options: ProjectionOptions): Value {
  const { builder } = context;
  const { name, to, activation } = projection;
  const from = projection.from ?? [requireKnown(context, x, -1)];
  const [rows, columns] = [countOf(from), countOf(to)];
  const shape = [...from, ...to];
  const dtype = floatDType(context, x);
  const inOrder = shape.map((_, axis) => axis);
  const kernel = context.addWeight({
    name: `${name}.kernel`,
    shape,
    layout: permutedLayout(shape, inOrder, [rows, columns]),
    initializer: options.kernelInitializer ?? 'glorotUniform',
    regularizer: options.kernelRegularizer,
    constraint: options.kernelConstraint,
    dtype,
  });
  const product = builder.op('MatMul', [x, kernel]);
  const biased = options.useBias === false ? product : builder.op('Add', [product, biasOf()]);
  return activate(context, biased, activation);

  function biasOf(): Value {
    return context.addWeight({
      name: `${name}.bias`,
      shape: to,
      layout: permutedLayout(
        to,
        to.map((_, axis) => axis),
        [columns],
      ),
      initializer: options.biasInitializer ?? 'zeros',
      regularizer: options.biasRegularizer,
      constraint: options.biasConstraint,
      dtype,
    });
  }
}
