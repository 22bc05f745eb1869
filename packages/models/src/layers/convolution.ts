import type { Value } from '@modelwright/core';
import { createLayer, floatDType, type Layer, type LayerContext, requireKnown } from '../layer.js';
import { permutedLayout } from '../weights/keras-layout.js';
import { activate, addBias, type KernelOptions } from './kernel-options.js';
import { type DataFormat, inChannelsFirst, type Padding, paddingAttributes, type Window } from './spatial.js';
import { type PerAxis, type PerSide, perAxis, perSide, requirePositive } from './tuples.js';

/** Options that all convolutions share. */
export interface ConvolutionWindowOptions extends KernelOptions {
  /** Extents of the window. */
  readonly kernelSize: PerAxis;
  /** Default 1. */
  readonly strides?: PerAxis;
  /** Default `valid`. */
  readonly padding?: Padding;
  /** Distance between the elements of the window. Default 1. */
  readonly dilationRate?: PerAxis;
  /** Default `channelsLast`. */
  readonly dataFormat?: DataFormat;
}

export interface ConvolutionOptions extends Omit<ConvolutionWindowOptions, 'padding'> {
  /** By rule, or in elements: one number for all sides, or `[before, after]` an axis. Default `valid`. */
  readonly padding?: Padding | PerSide;
  /** Number of output channels. */
  readonly filters: number;
  /** Channels are convolved in so many separate groups. Default 1. */
  readonly groups?: number;
}

export interface Convolution1dOptions extends Omit<ConvolutionOptions, 'padding'> {
  /** `causal`: zeros before only, so that no output sees later inputs. Default `valid`. */
  readonly padding?: Padding | 'causal' | PerSide;
}

/**
 * Convolution over steps. Input `[batch, steps, channels]`, output `[batch, steps', filters]`; weights `kernel`
 * `[window, channels / groups, filters]` in Keras's layout, `bias` `[filters]`.
 *
 * @throws {@link ModelwrightError} as {@link conv2d}.
 */
export function conv1d(options: Convolution1dOptions): Layer {
  return convolution('conv1d', 1, options);
}

/**
 * Convolution over images (cross-correlation, no kernel flip).
 *
 * Input `[batch, height, width, channels]`, output `[batch, height', width', filters]`; weights `kernel`
 * `[height, width, channels / groups, filters]` in Keras's layout, stored as ONNX's `[filters, channels / groups, height, width]`.
 *
 * @throws {@link ModelwrightError} `invalid-argument` for wrong options; `shape-mismatch` when applied to an input of another
 *   rank, to channels that the groups do not divide, or to one smaller than the window.
 * @see Dumoulin and Visin, arXiv:1603.07285, §2.
 */
export function conv2d(options: ConvolutionOptions): Layer {
  return convolution('conv2d', 2, options);
}

/** Convolution over volumes `[batch, depth, height, width, channels]`; otherwise as {@link conv2d}. */
export function conv3d(options: ConvolutionOptions): Layer {
  return convolution('conv3d', 3, options);
}

function convolution(kind: string, rank: number, options: Convolution1dOptions): Layer {
  const filters = requirePositive(options.filters, `${kind}: filters`);
  const groups = requirePositive(options.groups ?? 1, `${kind}: groups`);
  const window = windowOf(kind, rank, options);
  const padding = explicitPadding(kind, rank, options.padding);
  return createLayer({
    kind,
    options,
    build(context, [x]) {
      const input = x as Value;
      const convolved = inChannelsFirst(context, { input, rank, dataFormat: options.dataFormat }, (first) => {
        const channels = requireKnown(context, first, 1);
        requireGroups(context, { channels, filters, groups });
        const keras = [...window.size, channels / groups, filters];
        const kernel = context.addWeight({
          name: 'kernel',
          shape: keras,
          layout: permutedLayout(keras, [rank + 1, rank, ...window.size.keys()]),
          initializer: options.kernelInitializer ?? 'glorotUniform',
          regularizer: options.kernelRegularizer,
          constraint: options.kernelConstraint,
          dtype: floatDType(context, first),
        });
        const bias = addBias(context, options, { count: filters, like: first });
        return convolve(context, { input: first, kernel, bias, group: groups, window, padding });
      });
      return activate(context, convolved, options.activation);
    },
  });
}

/** The window that options describe. */
export function windowOf(
  kind: string,
  rank: number,
  options: Pick<Convolution1dOptions, 'kernelSize' | 'strides' | 'dilationRate'>,
): Window {
  return {
    size: perAxis(options.kernelSize, { rank, option: `${kind}: kernelSize` }),
    strides: perAxis(options.strides ?? 1, { rank, option: `${kind}: strides` }),
    dilations: perAxis(options.dilationRate ?? 1, { rank, option: `${kind}: dilationRate` }),
  };
}

/** A padding with its numbers for each side. */
export function explicitPadding<T extends string>(
  kind: string,
  rank: number,
  padding: T | PerSide | undefined,
): T | readonly (readonly [number, number])[] | undefined {
  if (padding === undefined || typeof padding === 'string') return padding;
  return perSide(padding, rank, `${kind}: padding`);
}

function requireGroups(
  context: LayerContext,
  { channels, filters, groups }: { channels: number; filters: number; groups: number },
): void {
  if (channels % groups === 0 && filters % groups === 0) return;
  context.fail(`groups = ${groups} has to divide its ${channels} input channels and its ${filters} filters`, {
    given: groups,
    allowed: [channels, filters],
  });
}

interface ConvolveRequest {
  /** `[batch, channels, …space]` */
  readonly input: Value;
  /** As ONNX stores it. */
  readonly kernel: Value;
  readonly bias: Value | undefined;
  readonly group: number;
  readonly window: Window;
  readonly padding: Padding | 'causal' | readonly (readonly [number, number])[] | undefined;
}

/** ONNX's `Conv` with Keras's padding. */
export function convolve({ builder }: LayerContext, request: ConvolveRequest): Value {
  const { input, kernel, bias, group, window, padding = 'valid' } = request;
  const { size, strides, dilations } = window;
  const padded =
    padding === 'causal'
      ? { pads: [((size[0] as number) - 1) * (dilations[0] as number), 0] }
      : paddingAttributes(padding, window, input.shape.slice(2));
  return builder.op('Conv', [input, kernel, bias], { kernel_shape: size, strides, dilations, group, ...padded });
}
