import type { Dimension, Value } from '@modelwright/core';
import type { LayerContext } from '../layer.js';
import { requireAxes } from '../layer.js';

/** Where channels stand: last, as in Keras and TensorFlow.js, or first, as in ONNX and PyTorch. */
export type DataFormat = 'channelsLast' | 'channelsFirst';

/** `valid`: the window stays inside; `same`: `⌈in / stride⌉` outputs, zeros around, the odd one after. */
export type Padding = 'valid' | 'same';

const axisNames: { readonly [rank: number]: string } = {
  1: 'steps',
  2: 'height, width',
  3: 'depth, height, width',
};

/**
 * Runs `build` on a value with channels first, whatever the layer's format is. The transposes around it cancel with those
 * of neighbouring layers.
 *
 * @param input - `[batch, …space, channels]`, or `[batch, channels, …space]` for `channelsFirst`.
 */
export function inChannelsFirst(
  context: LayerContext,
  {
    input,
    rank,
    dataFormat = 'channelsLast',
  }: { readonly input: Value; readonly rank: number; readonly dataFormat: DataFormat | undefined },
  build: (input: Value) => Value,
): Value {
  const space = axisNames[rank] ?? '…';
  requireAxes(
    context,
    input,
    dataFormat === 'channelsLast' ? `[batch, ${space}, channels]` : `[batch, channels, ${space}]`,
  );
  if (dataFormat === 'channelsFirst') return build(input);
  return channelsLast(context, build(channelsFirst(context, input)));
}

/** `[batch, …space, channels]` → `[batch, channels, …space]`. */
export function channelsFirst({ builder }: LayerContext, value: Value): Value {
  const rank = value.shape.length;
  const space = Array.from({ length: rank - 2 }, (_, axis) => axis + 1);
  return rank <= 2 ? value : builder.op('Transpose', [value], { perm: [0, rank - 1, ...space] });
}

/** `[batch, channels, …space]` → `[batch, …space, channels]`. */
export function channelsLast({ builder }: LayerContext, value: Value): Value {
  const rank = value.shape.length;
  const space = Array.from({ length: rank - 2 }, (_, axis) => axis + 2);
  return rank <= 2 ? value : builder.op('Transpose', [value], { perm: [0, ...space, 1] });
}

/** A window that slides over space; one number an axis. */
export interface Window {
  readonly size: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
}

/** ONNX's attributes for a padding by rule or `[before, after]` an axis: explicit numbers where the extents are known (or do not matter), else left to ONNX's own rule. */
export function paddingAttributes(
  padding: Padding | readonly (readonly [number, number])[],
  { size, strides, dilations }: Window,
  extents: readonly Dimension[],
): { readonly auto_pad?: 'SAME_UPPER'; readonly pads?: readonly number[] } {
  if (padding === 'valid') return {};
  if (padding !== 'same') return { pads: [0, 1].flatMap((side) => padding.map((sides) => sides[side] as number)) };
  const totals = size.map((window, axis) => {
    const reach = (window - 1) * (dilations[axis] as number) + 1;
    const stride = strides[axis] as number;
    const extent = extents[axis] as Dimension;
    if (stride === 1) return reach - 1;
    // ⌈in/s⌉ windows reach over (⌈in/s⌉ − 1)·s + reach elements.
    return typeof extent === 'number'
      ? Math.max(0, (Math.ceil(extent / stride) - 1) * stride + reach - extent)
      : undefined;
  });
  if (totals.includes(undefined)) return { auto_pad: 'SAME_UPPER' };
  const known = totals as readonly number[];
  const before = known.map((total) => Math.floor(total / 2));
  return { pads: [...before, ...known.map((total, axis) => total - (before[axis] as number))] };
}
