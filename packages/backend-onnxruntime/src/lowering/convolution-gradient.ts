import {
  concreteShape,
  elementCountOf,
  fullTensor,
  type GraphBuilder,
  type OpAttributes,
  type Value,
} from '@modelwright/core';
import { matMulTransposed } from './com-microsoft.js';
import type { Rewrite } from './lowering.js';

type ConvAttributes = OpAttributes['Conv'];

interface Window {
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly pads: readonly number[];
}

function windowOf(attributes: ConvAttributes, rank: number): Window {
  return {
    strides: attributes.strides ?? Array<number>(rank).fill(1),
    dilations: attributes.dilations ?? Array<number>(rank).fill(1),
    pads: attributes.pads ?? Array<number>(2 * rank).fill(0),
  };
}

/** A convolution of `dy` that gives the gradient of another one's input. */
interface InputGradientForm {
  readonly weight: Value;
  readonly attributes: ConvAttributes;
}

/** With stride 1 `dx` is the convolution of `dy` with the flipped, transposed weight; undefined for other strides. */
export function inputGradientConvolution(
  builder: GraphBuilder,
  weight: Value,
  attributes: OpAttributes['ConvInputGradient'],
): InputGradientForm | undefined {
  const kernel = concreteShape(weight.shape, `'${weight.name}'`).slice(2);
  const { strides, dilations, pads } = windowOf(attributes, kernel.length);
  const extents = kernel.map((size, axis) => (size - 1) * (dilations[axis] as number));
  const begin = extents.map((extent, axis) => extent - (pads[axis] as number));
  const end = extents.map((extent, axis) => extent - (pads[axis + kernel.length] as number));
  if (strides.some((stride) => stride !== 1) || [...begin, ...end].some((pad) => pad < 0)) return undefined;
  const { group } = attributes;
  const flipped = transposeGroups(builder, flip(builder, weight, kernel.length), group);
  return { weight: flipped, attributes: { dilations, group, pads: [...begin, ...end], auto_pad: 'NOTSET' } };
}

/** `dx`: with stride 1 a convolution (25 ms where `ConvTranspose` takes 44), else `ConvTranspose`. */
export const convInputGradient: Rewrite<'ConvInputGradient'> = ({ builder, input, attributes }) => {
  const [dy, weight] = [input(0), input(1)];
  const form = inputGradientConvolution(builder, weight, attributes);
  if (form !== undefined) return [builder.op('Conv', [dy, form.weight], form.attributes)];
  const kernel = concreteShape(weight.shape, `'${weight.name}'`).slice(2);
  const { strides, dilations, pads } = windowOf(attributes, kernel.length);
  const extents = kernel.map((size, axis) => (size - 1) * (dilations[axis] as number));
  const { group, input_shape: inputShape } = attributes;
  const outputPadding = kernel.map((_, axis) => {
    const covered = (strides[axis] as number) * ((dy.shape[axis + 2] as number) - 1) + (extents[axis] as number) + 1;
    const padding = (pads[axis] as number) + (pads[axis + kernel.length] as number);
    return (inputShape[axis + 2] as number) - (covered - padding);
  });
  return [
    builder.op('ConvTranspose', [dy, weight], {
      ...{ strides, dilations, group, pads, auto_pad: 'NOTSET' },
      output_padding: outputPadding,
    }),
  ];
};

function flip(builder: GraphBuilder, weight: Value, rank: number): Value {
  if (weight.shape.slice(2).every((size) => size === 1)) return weight;
  const all = (value: number): Value => builder.integers(Array<number>(rank).fill(value));
  const axes = builder.integers(Array.from({ length: rank }, (_, axis) => axis + 2));
  return builder.op('Slice', [weight, all(-1), all(-(2 ** 31)), axes, all(-1)]);
}

/** `[g·o, i, …]` → `[g·i, o, …]` */
function transposeGroups(builder: GraphBuilder, weight: Value, group: number): Value {
  const [outputs, inputs, ...kernel] = concreteShape(weight.shape, `'${weight.name}'`) as [number, number, ...number[]];
  const spatial = kernel.map((_, axis) => axis);
  if (group === 1) return builder.op('Transpose', [weight], { perm: [1, 0, ...spatial.map((axis) => axis + 2)] });
  const split = builder.op('Reshape', [weight, builder.integers([group, outputs / group, inputs, ...kernel])]);
  const swapped = builder.op('Transpose', [split], { perm: [0, 2, 1, ...spatial.map((axis) => axis + 3)] });
  return builder.op('Reshape', [swapped, builder.integers([group * inputs, outputs / group, ...kernel])]);
}

/**
 * `dw[o,c,k] = Σ_n Σ_l dy[n,o,l] · columns[n,(c,k),l]`. The columns come from a depthwise convolution with one-hot kernels, the sum over
 * positions from one batched product: 33 ms where a convolution with swapped operands takes 138.
 */
export const convWeightGradient: Rewrite<'ConvWeightGradient'> = ({ builder, input, attributes }) => {
  const [x, dy] = [input(0), input(1)];
  const { group, weight_shape: weightShape } = attributes;
  const kernel = weightShape.slice(2);
  const taps = elementCountOf(kernel);
  const [batch, channels] = concreteShape(x.shape, `'${x.name}'`) as [number, number];
  const [, outputs, ...positions] = concreteShape(dy.shape, `'${dy.name}'`) as [number, number, ...number[]];
  const length = elementCountOf(positions);
  const columns = toColumns(builder, x, { attributes, kernel });
  const rows = (value: Value, count: number): Value =>
    builder.op('Reshape', [value, builder.integers([batch * group, count / group, length])]);
  const each = matMulTransposed(builder, rows(dy, outputs), rows(columns, channels * taps));
  const grouped = builder.op('Reshape', [each, builder.integers([batch, ...weightShape])]);
  return [builder.op('ReduceSum', [grouped, builder.integers([0])], { keepdims: 0 })];
};

interface ColumnsRequest {
  readonly attributes: ConvAttributes;
  readonly kernel: readonly number[];
}

/** `[n, c, …]` → `[n, c·taps, …']`: tap `k` of channel `c` at every position of the window. */
function toColumns(builder: GraphBuilder, x: Value, { attributes, kernel }: ColumnsRequest): Value {
  const { strides, dilations, pads } = windowOf(attributes, kernel.length);
  const taps = elementCountOf(kernel);
  const channels = x.shape[1] as number;
  const isPlain = taps === 1 && strides.every((stride) => stride === 1) && pads.every((pad) => pad === 0);
  if (isPlain) return x;
  const oneHot = fullTensor(x.dtype, [channels * taps, 1, ...kernel], 0);
  const ones = fullTensor(x.dtype, [1], 1).data as Float32Array;
  for (let row = 0; row < channels * taps; row++)
    (oneHot.data as Float32Array)[row * taps + (row % taps)] = ones[0] as number;
  const selector = builder.constant(oneHot, { name: 'taps' });
  return builder.op('Conv', [x, selector], { strides, dilations, pads, group: channels, auto_pad: 'NOTSET' });
}
