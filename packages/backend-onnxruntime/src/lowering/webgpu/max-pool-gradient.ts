import {
  concreteShape,
  fullTensor,
  type GraphBuilder,
  isConcrete,
  type OpAttributes,
  type Value,
} from '@modelwright/core';
import type { Rewrite } from '../lowering.js';
import { asNumbers } from './simple.js';

/** Below every number a network computes, and finite: its product with 0 is 0. */
const lowest = -3.4e38;

/**
 * The provider's pooling gives no indices, so the places of the maxima are found by comparison:
 *
 * `columns[n, c, tap, i, j]` are the windows, `hit = [columns = y]`, `first = hit · [no hit at an earlier tap]`, and `dx` sums `first · dy` back
 * to where the windows took it from, which is a transposed convolution with one-hot kernels.
 */
export const maxPoolGradient: Rewrite<'MaxPoolGradient'> = ({ builder, input, attributes }) => {
  const [x, y, dy] = [input(0), input(1), input(2)];
  if (x.dtype !== 'float32' || !isConcrete(x.shape) || !isConcrete(y.shape)) return undefined;
  const window = windowOf(x, y, attributes);
  if (window === undefined) return undefined;
  const [batch, channels, ...small] = y.shape as readonly number[] as [number, number, ...number[]];
  const taps = product(window.kernel);
  const reshape = (value: Value, shape: readonly number[]): Value =>
    builder.op('Reshape', [value, builder.integers(shape)]);
  const common = { strides: window.strides, dilations: window.dilations, group: 1, auto_pad: 'NOTSET' } as const;
  // Channels stand in the batch: grouped transposed convolutions come out wrong here.
  const planes = batch * channels;
  const kernels = oneHotKernels(builder, window.kernel);
  const whole = padded(builder, x, window);
  const columns = builder.op(
    'Conv',
    [reshape(whole, [planes, 1, ...(whole.shape.slice(2) as readonly number[])]), kernels],
    common,
  );
  const flat = product(small);
  const spread = (value: Value): Value => reshape(value, [batch, channels, 1, flat]);
  const hit = asNumbers(builder, builder.op('Equal', [reshape(columns, [batch, channels, taps, flat]), spread(y)]), x);
  const before = builder.op('CumSum', [hit, builder.scalar(2, 'int64')], { exclusive: 1 });
  const first = builder.op('Mul', [hit, builder.op('Relu', [builder.op('Sub', [builder.scalar(1, x.dtype), before])])]);
  const placed = builder.op('Mul', [first, spread(dy)]);
  const sum = builder.op('ConvTranspose', [reshape(placed, [planes, taps, ...small]), kernels], common);
  const split = reshape(sum, [batch, channels, ...(sum.shape.slice(2) as readonly number[])]);
  return [cropped(builder, split, x.shape as readonly number[], window)];
};

interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Before each axis. */
  readonly begins: readonly number[];
  /** What windows reach over, padding included. */
  readonly covered: readonly number[];
}

function windowOf(x: Value, y: Value, attributes: OpAttributes['MaxPoolGradient']): Window | undefined {
  const { kernel_shape: kernel, auto_pad: mode } = attributes;
  if (mode !== 'NOTSET' && mode !== 'VALID') return undefined;
  const shape = concreteShape(x.shape, `'${x.name}'`);
  if (shape.some((extent) => extent === 0)) return undefined;
  const strides = attributes.strides ?? kernel.map(() => 1);
  const dilations = attributes.dilations ?? kernel.map(() => 1);
  const begins = mode === 'VALID' ? kernel.map(() => 0) : kernel.map((_, axis) => attributes.pads?.[axis] ?? 0);
  const covered = kernel.map((size, axis) => {
    const reach = (size - 1) * (dilations[axis] as number) + 1;
    return ((y.shape[axis + 2] as number) - 1) * (strides[axis] as number) + reach;
  });
  return { kernel, strides, dilations, begins, covered };
}

/** The input with what lies beyond it, cut to what windows reach over. */
function padded(builder: GraphBuilder, x: Value, { begins, covered }: Window): Value {
  const shape = x.shape as readonly number[];
  const ends = covered.map((extent, axis) => extent - (shape[axis + 2] as number) - (begins[axis] as number));
  const beyond = ends.map((end) => Math.max(end, 0));
  const isPadded = [...begins, ...beyond].some((pad) => pad > 0);
  const pads = builder.integers([0, 0, ...begins, 0, 0, ...beyond]);
  const whole = isPadded ? builder.op('Pad', [x, pads, builder.scalar(lowest, x.dtype)]) : x;
  if (ends.every((end) => end >= 0)) return whole;
  return slice(
    builder,
    whole,
    begins.map(() => 0),
    covered,
  );
}

/** The gradient of what windows reach over, as that of the input. */
function cropped(builder: GraphBuilder, sum: Value, shape: readonly number[], { begins, covered }: Window): Value {
  const extents = shape.slice(2);
  const missing = extents.map((extent, axis) =>
    Math.max(0, extent + (begins[axis] as number) - (covered[axis] as number)),
  );
  const whole = missing.some((extent) => extent > 0)
    ? builder.op('Pad', [sum, builder.integers([0, 0, ...begins.map(() => 0), 0, 0, ...missing])])
    : sum;
  const ends = extents.map((extent, axis) => extent + (begins[axis] as number));
  const isWhole = ends.every((end, axis) => begins[axis] === 0 && end === (whole.shape[axis + 2] as number));
  return isWhole ? whole : slice(builder, whole, begins, ends);
}

function slice(builder: GraphBuilder, value: Value, starts: readonly number[], ends: readonly number[]): Value {
  const axes = builder.integers(starts.map((_, axis) => axis + 2));
  return builder.op('Slice', [value, builder.integers(starts), builder.integers(ends), axes]);
}

/** `[taps, 1, …kernel]`: kernel `k` takes tap `k`. */
function oneHotKernels(builder: GraphBuilder, kernel: readonly number[]): Value {
  const taps = product(kernel);
  const weights = fullTensor('float32', [taps, 1, ...kernel], 0);
  for (let tap = 0; tap < taps; tap++) (weights.data as Float32Array)[tap * taps + tap] = 1;
  return builder.constant(weights, { name: 'taps' });
}

function product(extents: readonly number[]): number {
  return extents.reduce((left, right) => left * right, 1);
}
