import { isConcrete } from '@modelwright/core';
import type { Rewrite } from './lowering.js';

/** The runtime pads a dilated window by itself only where it is told how much. */
export const convolution: Rewrite<'Conv'> = ({ builder, inputs, input, attributes }) => {
  const [x, weight] = [input(0), input(1)];
  const { auto_pad: mode, dilations, strides } = attributes;
  const isDilated = dilations?.some((dilation) => dilation !== 1) ?? false;
  if (!isDilated || !mode.startsWith('SAME') || !isConcrete(x.shape) || !isConcrete(weight.shape)) return 'keep';
  const kernel = weight.shape.slice(2);
  const totals = x.shape.slice(2).map((extent, axis) => {
    const stride = strides?.[axis] ?? 1;
    const reach = ((kernel[axis] as number) - 1) * (dilations?.[axis] ?? 1) + 1;
    return Math.max(0, (Math.ceil(extent / stride) - 1) * stride + reach - extent);
  });
  const lesser = totals.map((total) => Math.floor(total / 2));
  const greater = totals.map((total) => Math.ceil(total / 2));
  const pads = mode === 'SAME_UPPER' ? [...lesser, ...greater] : [...greater, ...lesser];
  return [builder.op('Conv', inputs, { ...attributes, auto_pad: 'NOTSET', pads })];
};
