import type { Value } from '@modelwright/core';
import { createLayer, floatDType, type Layer, requireKnown } from '../layer.js';
import { permutedLayout } from '../weights/keras-layout.js';
import { type ConvolutionWindowOptions, windowOf } from './convolution.js';
import { activate, addBias } from './kernel-options.js';
import { inChannelsFirst, type Padding, type Window } from './spatial.js';
import { type PerAxis, perAxis, requirePositive } from './tuples.js';

export interface TransposedConvolutionOptions extends ConvolutionWindowOptions {
  /** Number of output channels. */
  readonly filters: number;
  /** Makes the output so much larger than the padding says; smaller than the stride. */
  readonly outputPadding?: PerAxis;
}

/**
 * The transpose of a convolution, as used to scale images up: each input element adds its kernel to the output, `strides`
 * apart. Output extent: `in · stride` for `same`, `in · stride + max(reach − stride, 0)` for `valid`.
 *
 * Input `[batch, height, width, channels]`, output `[batch, height', width', filters]`; weights `kernel`
 * `[height, width, filters, channels]` in Keras's layout, `bias` `[filters]`.
 *
 * @throws {@link ModelwrightError} as `conv2d`.
 * @see Dumoulin and Visin, arXiv:1603.07285, §4.
 */
export function conv2dTranspose(options: TransposedConvolutionOptions): Layer {
  return transposedConvolution('conv2dTranspose', 2, options);
}

/** As {@link conv2dTranspose}, over steps `[batch, steps, channels]`. */
export function conv1dTranspose(options: TransposedConvolutionOptions): Layer {
  return transposedConvolution('conv1dTranspose', 1, options);
}

/** As {@link conv2dTranspose}, over volumes `[batch, depth, height, width, channels]`. */
export function conv3dTranspose(options: TransposedConvolutionOptions): Layer {
  return transposedConvolution('conv3dTranspose', 3, options);
}

function transposedConvolution(kind: string, rank: number, options: TransposedConvolutionOptions): Layer {
  const filters = requirePositive(options.filters, `${kind}: filters`);
  const window = windowOf(kind, rank, options);
  const extra =
    options.outputPadding === undefined
      ? undefined
      : perAxis(options.outputPadding, { rank, option: `${kind}: outputPadding`, least: 0 });
  const sides = paddingOf(window, options.padding ?? 'valid', extra);
  return createLayer({
    kind,
    options,
    build(context, [x]) {
      const input = x as Value;
      const convolved = inChannelsFirst(context, { input, rank, dataFormat: options.dataFormat }, (first) => {
        const channels = requireKnown(context, first, 1);
        const keras = [...window.size, filters, channels];
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
        const { size, strides, dilations } = window;
        return context.builder.op('ConvTranspose', [first, kernel, bias], {
          kernel_shape: size,
          strides,
          dilations,
          ...sides,
        });
      });
      return activate(context, convolved, options.activation);
    },
  });
}

/**
 * What is cut from, or added to, the full output of `(in − 1) · stride + reach`. The surplus over the wanted extent does not
 * depend on `in`; half of it, rounded down, is cut in front, as in TensorFlow.
 */
function paddingOf(
  { size, strides, dilations }: Window,
  padding: Padding,
  extra: readonly number[] | undefined,
): { pads: readonly number[]; output_padding: readonly number[] } {
  const surplus = size.map((window, axis) => {
    const reach = (window - 1) * (dilations[axis] as number) + 1;
    const stride = strides[axis] as number;
    const more = extra?.[axis];
    if (more !== undefined) return (padding === 'same' ? 2 * Math.floor(reach / 2) : 0) - more;
    return padding === 'same' ? reach - stride : Math.min(reach - stride, 0);
  });
  const cut = surplus.map((amount) => Math.max(0, amount));
  const before = cut.map((amount) => Math.floor(amount / 2));
  return {
    pads: [...before, ...cut.map((amount, axis) => amount - (before[axis] as number))],
    output_padding: surplus.map((amount) => Math.max(0, -amount)),
  };
}
