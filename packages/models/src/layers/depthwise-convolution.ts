import type { Value } from '@modelwright/core';
import type { InitializerLike } from '../initializers/initializer.js';
import { createLayer, floatDType, type Layer, type LayerContext, requireKnown } from '../layer.js';
import type { ConstraintLike } from '../weights/constraints.js';
import { permutedLayout } from '../weights/keras-layout.js';
import type { RegularizerLike } from '../weights/regularizers.js';
import { type ConvolutionWindowOptions, convolve, explicitPadding, windowOf } from './convolution.js';
import { activate, addBias } from './kernel-options.js';
import { inChannelsFirst, type Padding, type Window } from './spatial.js';
import { type PerSide, requirePositive } from './tuples.js';

/** Options of the kernel that convolves each channel by itself. */
export interface DepthwiseOptions
  extends Omit<ConvolutionWindowOptions, 'kernelInitializer' | 'kernelRegularizer' | 'kernelConstraint' | 'padding'> {
  /** By rule, or in elements: one number for all sides, or `[before, after]` an axis. Default `valid`. */
  readonly padding?: Padding | PerSide;
  /** Outputs a channel. Default 1. */
  readonly depthMultiplier?: number;
  /** Default glorotUniform. */
  readonly depthwiseInitializer?: InitializerLike;
  readonly depthwiseRegularizer?: RegularizerLike;
  readonly depthwiseConstraint?: ConstraintLike;
}

export interface SeparableOptions extends DepthwiseOptions {
  /** Number of output channels. */
  readonly filters: number;
  /** Default glorotUniform. */
  readonly pointwiseInitializer?: InitializerLike;
  readonly pointwiseRegularizer?: RegularizerLike;
  readonly pointwiseConstraint?: ConstraintLike;
}

/**
 * Convolves each channel by itself. Input `[batch, height, width, channels]`, output
 * `[batch, height', width', channels · depthMultiplier]`; weights `depthwiseKernel`
 * `[height, width, channels, depthMultiplier]` in Keras's layout, `bias`.
 *
 * @throws {@link ModelwrightError} as `conv2d`.
 */
export function depthwiseConv2d(options: DepthwiseOptions): Layer {
  return depthwise('depthwiseConv2d', 2, options);
}

/** As {@link depthwiseConv2d}, over steps `[batch, steps, channels]`. */
export function depthwiseConv1d(options: DepthwiseOptions): Layer {
  return depthwise('depthwiseConv1d', 1, options);
}

/**
 * A depthwise convolution, then a 1×1 convolution that mixes the channels. Weights `depthwiseKernel`
 * `[height, width, channels, depthMultiplier]`, `pointwiseKernel` `[1, 1, channels · depthMultiplier, filters]`, `bias` `[filters]`.
 *
 * @throws {@link ModelwrightError} as `conv2d`.
 * @see Chollet, arXiv:1610.02357.
 */
export function separableConv2d(options: SeparableOptions): Layer {
  return separable('separableConv2d', 2, options);
}

/** As {@link separableConv2d}, over steps `[batch, steps, channels]`. */
export function separableConv1d(options: SeparableOptions): Layer {
  return separable('separableConv1d', 1, options);
}

function depthwise(kind: string, rank: number, options: DepthwiseOptions): Layer {
  const setup = depthwiseSetup(kind, rank, options);
  return createLayer({
    kind,
    options,
    build(context, [x]) {
      const input = x as Value;
      const convolved = inChannelsFirst(context, { input, rank, dataFormat: options.dataFormat }, (first) => {
        const { kernel, channels } = depthwiseKernel(context, first, setup);
        const bias = addBias(context, options, { count: channels * setup.multiplier, like: first });
        return convolve(context, {
          input: first,
          kernel,
          bias,
          group: channels,
          window: setup.window,
          padding: setup.padding,
        });
      });
      return activate(context, convolved, options.activation);
    },
  });
}

function separable(kind: string, rank: number, options: SeparableOptions): Layer {
  const setup = depthwiseSetup(kind, rank, options);
  const filters = requirePositive(options.filters, `${kind}: filters`);
  const ones = new Array<number>(rank).fill(1);
  const pointWindow: Window = { size: ones, strides: ones, dilations: ones };
  return createLayer({
    kind,
    options,
    build(context, [x]) {
      const input = x as Value;
      const convolved = inChannelsFirst(context, { input, rank, dataFormat: options.dataFormat }, (first) => {
        const { kernel, channels } = depthwiseKernel(context, first, setup);
        const spread = convolve(context, {
          input: first,
          kernel,
          bias: undefined,
          group: channels,
          window: setup.window,
          padding: setup.padding,
        });
        const keras = [...ones, channels * setup.multiplier, filters];
        const mixing = context.addWeight({
          name: 'pointwiseKernel',
          shape: keras,
          layout: permutedLayout(keras, [rank + 1, rank, ...ones.keys()]),
          initializer: options.pointwiseInitializer ?? 'glorotUniform',
          regularizer: options.pointwiseRegularizer,
          constraint: options.pointwiseConstraint,
          dtype: floatDType(context, first),
        });
        const bias = addBias(context, options, { count: filters, like: first });
        return convolve(context, {
          input: spread,
          kernel: mixing,
          bias,
          group: 1,
          window: pointWindow,
          padding: 'valid',
        });
      });
      return activate(context, convolved, options.activation);
    },
  });
}

interface DepthwiseSetup {
  readonly options: DepthwiseOptions;
  readonly rank: number;
  readonly window: Window;
  readonly multiplier: number;
  readonly padding: ReturnType<typeof explicitPadding<Padding>>;
}

function depthwiseSetup(kind: string, rank: number, options: DepthwiseOptions): DepthwiseSetup {
  const multiplier = requirePositive(options.depthMultiplier ?? 1, `${kind}: depthMultiplier`);
  const padding = explicitPadding(kind, rank, options.padding);
  return { options, rank, window: windowOf(kind, rank, options), multiplier, padding };
}

// Keras [...window, channels, multiplier] is ONNX's [channels · multiplier, 1, ...window] with one group a channel.
function depthwiseKernel(
  context: LayerContext,
  input: Value,
  setup: DepthwiseSetup,
): { kernel: Value; channels: number } {
  const { options, rank, window, multiplier } = setup;
  const channels = requireKnown(context, input, 1);
  const keras = [...window.size, channels, multiplier];
  const kernel = context.addWeight({
    name: 'depthwiseKernel',
    shape: keras,
    layout: permutedLayout(keras, [rank, rank + 1, ...window.size.keys()], [channels * multiplier, 1, ...window.size]),
    initializer: options.depthwiseInitializer ?? 'glorotUniform',
    regularizer: options.depthwiseRegularizer,
    constraint: options.depthwiseConstraint,
    dtype: floatDType(context, input),
  });
  return { kernel, channels };
}
