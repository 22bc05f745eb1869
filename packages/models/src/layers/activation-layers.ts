import type { Value } from '@modelwright/core';
import { type ActivationLike, activationOf, clipped } from '../activations.js';
import type { InitializerLike } from '../initializers/initializer.js';
import { createLayer, floatDType, type Layer, type LayerContext, type LayerOptions, requireKnown } from '../layer.js';
import type { ConstraintLike } from '../weights/constraints.js';
import type { RegularizerLike } from '../weights/regularizers.js';

/** Any activation as a layer of its own: `activation('relu')`. */
export function activation(like: ActivationLike, options: LayerOptions = {}): Layer {
  const apply = activationOf(like);
  return elementwise('activation', options, ({ builder }, x) => apply(builder, x));
}

export interface ReLUOptions extends LayerOptions {
  /** The output is no larger than this. */
  readonly maxValue?: number;
  /** Slope below the threshold. Default 0. */
  readonly negativeSlope?: number;
  /** Default 0. */
  readonly threshold?: number;
}

/** `x` from the threshold up to `maxValue`, `negativeSlope · (x − threshold)` below it. */
export function reLU(options: ReLUOptions = {}): Layer {
  const { maxValue, negativeSlope = 0, threshold = 0 } = options;
  return elementwise('reLU', options, ({ builder }, x) => {
    if (threshold === 0 && negativeSlope === 0) {
      return maxValue === undefined ? builder.op('Relu', [x]) : clipped(builder, x, { least: 0, most: maxValue });
    }
    const limited = (value: Value): Value =>
      maxValue === undefined ? value : clipped(builder, value, { most: maxValue });
    if (threshold === 0) return limited(builder.op('LeakyRelu', [x], { alpha: negativeSlope }));
    const limit = builder.scalar(threshold, x.dtype);
    const below = builder.op('Mul', [builder.op('Sub', [x, limit]), builder.scalar(negativeSlope, x.dtype)]);
    return builder.op('Where', [builder.op('GreaterOrEqual', [x, limit]), limited(x), below]);
  });
}

/** `x` above 0, `negativeSlope · x` (default 0.3) below. */
export function leakyReLU(options: LayerOptions & { readonly negativeSlope?: number } = {}): Layer {
  const { negativeSlope: alpha = 0.3 } = options;
  return elementwise('leakyReLU', options, ({ builder }, x) => builder.op('LeakyRelu', [x], { alpha }));
}

/** `x` above 0, `alpha · (eˣ − 1)` (default 1) below. @see Clevert et al., arXiv:1511.07289. */
export function elu(options: LayerOptions & { readonly alpha?: number } = {}): Layer {
  const { alpha = 1 } = options;
  return elementwise('elu', options, ({ builder }, x) => builder.op('Elu', [x], { alpha }));
}

/** `x` above `theta` (default 1), else 0. */
export function thresholdedReLU(options: LayerOptions & { readonly theta?: number } = {}): Layer {
  const { theta = 1 } = options;
  return elementwise('thresholdedReLU', options, ({ builder }, x) =>
    builder.op('ThresholdedRelu', [x], { alpha: theta }),
  );
}

/** `e^x / Σ e^x` along `axis` (default −1). */
export function softmax(options: LayerOptions & { readonly axis?: number } = {}): Layer {
  const { axis = -1 } = options;
  return elementwise('softmax', options, ({ builder }, x) => builder.op('Softmax', [x], { axis }));
}

export interface PReLUOptions extends LayerOptions {
  /** Default zeros. */
  readonly alphaInitializer?: InitializerLike;
  readonly alphaRegularizer?: RegularizerLike;
  readonly alphaConstraint?: ConstraintLike;
  /** Axes (counted from 1) along which one slope serves all: `[1, 2]` for images. Default none. */
  readonly sharedAxes?: readonly number[];
}

/** `x` above 0, `alpha · x` below, with a slope that is learned for each element. @see He et al., arXiv:1502.01852. */
export function prelu(options: PReLUOptions = {}): Layer {
  return elementwise('prelu', options, (context, x) => {
    const shape = x.shape
      .slice(1)
      .map((_, axis) => (options.sharedAxes?.includes(axis + 1) ? 1 : requireKnown(context, x, axis + 1)));
    const alpha = context.addWeight({
      name: 'alpha',
      shape,
      initializer: options.alphaInitializer ?? 'zeros',
      regularizer: options.alphaRegularizer,
      constraint: options.alphaConstraint,
      dtype: floatDType(context, x),
    });
    return context.builder.op('PRelu', [x, alpha]);
  });
}

function elementwise(kind: string, options: LayerOptions, build: (context: LayerContext, x: Value) => Value): Layer {
  return createLayer({ kind, options, mask: 'keep', build: (context, [x]) => build(context, x as Value) });
}
