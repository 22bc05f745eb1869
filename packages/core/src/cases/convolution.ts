import type { ConvAttributes, ConvTransposeAttributes } from '../ops/convolution.js';
import type { CaseInput, OpCase } from './case.js';
import { floats, random } from './case.js';

interface Convolution {
  readonly name: string;
  readonly x: readonly number[];
  readonly w: readonly number[];
  readonly attributes?: Partial<ConvAttributes>;
  /** Output shape. */
  readonly y: readonly number[];
}

/** Convolutions over 1 to 3 axes, strides, dilations, groups and paddings; small enough for finite differences. */
const convolutions: readonly Convolution[] = [
  { name: '1d', x: [2, 2, 7], w: [3, 2, 3], y: [2, 3, 5] },
  {
    name: '1d stride 2 pads 2,1',
    x: [1, 2, 8],
    w: [2, 2, 3],
    attributes: { strides: [2], pads: [2, 1] },
    y: [1, 2, 5],
  },
  { name: '1d dilation 3', x: [1, 1, 11], w: [2, 1, 3], attributes: { dilations: [3] }, y: [1, 2, 5] },
  {
    name: '1d causal',
    x: [2, 2, 6],
    w: [2, 2, 2],
    attributes: { dilations: [2], pads: [2, 0] },
    y: [2, 2, 6],
  },
  { name: '2d', x: [1, 2, 5, 4], w: [2, 2, 3, 2], y: [1, 2, 3, 3] },
  { name: '2d 1×1', x: [2, 3, 2, 3], w: [4, 3, 1, 1], y: [2, 4, 2, 3] },
  { name: '2d pads 1', x: [1, 1, 4, 5], w: [2, 1, 3, 3], attributes: { pads: [1, 1, 1, 1] }, y: [1, 2, 4, 5] },
  {
    name: '2d unequal everything',
    x: [1, 2, 7, 4],
    w: [2, 2, 2, 3],
    attributes: { strides: [2, 1], dilations: [3, 1], pads: [1, 0, 2, 1] },
    y: [1, 2, 4, 3],
  },
  {
    name: '2d stride 3 beyond the window',
    x: [1, 1, 8, 7],
    w: [2, 1, 2, 2],
    attributes: { strides: [3, 3] },
    y: [1, 2, 3, 2],
  },
  {
    name: '2d stride 2 leaves a rest',
    x: [1, 1, 6, 8],
    w: [1, 1, 3, 3],
    attributes: { strides: [2, 2] },
    y: [1, 1, 2, 3],
  },
  {
    name: '2d pads beyond the window',
    x: [1, 1, 3, 3],
    w: [1, 1, 2, 2],
    attributes: { pads: [2, 1, 2, 3] },
    y: [1, 1, 6, 6],
  },
  { name: '2d groups 2', x: [1, 4, 4, 3], w: [4, 2, 2, 2], attributes: { group: 2 }, y: [1, 4, 3, 2] },
  {
    name: '2d groups 2 batch 3 stride 2',
    x: [3, 4, 3, 2],
    w: [2, 2, 2, 2],
    attributes: { group: 2, strides: [2, 1], pads: [1, 0, 0, 1] },
    y: [3, 2, 2, 2],
  },
  {
    name: '2d depthwise',
    x: [1, 3, 4, 4],
    w: [3, 1, 3, 3],
    attributes: { group: 3, pads: [1, 1, 1, 1] },
    y: [1, 3, 4, 4],
  },
  {
    name: '2d depthwise times 2',
    x: [2, 2, 3, 4],
    w: [4, 1, 2, 2],
    attributes: { group: 2, dilations: [1, 2] },
    y: [2, 4, 2, 2],
  },
  {
    name: '2d SAME_UPPER',
    x: [1, 1, 5, 6],
    w: [2, 1, 2, 3],
    attributes: { auto_pad: 'SAME_UPPER', strides: [2, 2] },
    y: [1, 2, 3, 3],
  },
  {
    name: '2d SAME_LOWER',
    x: [1, 1, 5, 6],
    w: [2, 1, 2, 3],
    attributes: { auto_pad: 'SAME_LOWER', strides: [2, 2] },
    y: [1, 2, 3, 3],
  },
  {
    name: '2d SAME_UPPER dilated',
    x: [1, 1, 5, 5],
    w: [1, 1, 2, 2],
    attributes: { auto_pad: 'SAME_UPPER', dilations: [2, 3] },
    y: [1, 1, 5, 5],
  },
  {
    name: '2d VALID',
    x: [1, 1, 5, 6],
    w: [2, 1, 2, 3],
    attributes: { auto_pad: 'VALID', strides: [2, 2] },
    y: [1, 2, 2, 2],
  },
  { name: '3d', x: [1, 2, 3, 3, 3], w: [2, 2, 2, 2, 2], y: [1, 2, 2, 2, 2] },
  {
    name: '3d unequal everything',
    x: [1, 2, 3, 4, 2],
    w: [2, 1, 2, 2, 1],
    attributes: { group: 2, strides: [1, 2, 1], dilations: [2, 1, 1], pads: [1, 0, 0, 0, 1, 1] },
    y: [1, 2, 2, 2, 3],
  },
];

const product = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
const constant = (input: CaseInput): CaseInput => ({ ...input, constant: true });

function convCases({ name, x, w, attributes = {} }: Convolution): readonly OpCase[] {
  const bias = [w[0] as number];
  const accumulation = product(w.slice(1));
  return [
    {
      id: `convolution/Conv/${name}`,
      op: 'Conv',
      inputs: [floats(x), floats(w), floats(bias)],
      attributes,
      differentiable: [0, 1, 2],
      accumulation,
    },
    {
      id: `convolution/Conv/${name}, constant weight`,
      op: 'Conv',
      inputs: [floats(x), constant(floats(w))],
      attributes,
      accumulation,
    },
  ];
}

// Gradients carry explicit pads.
function gradientCases({ name, x, w, y, attributes = {} }: Convolution): readonly OpCase[] {
  if (attributes.auto_pad !== undefined) return [];
  return [
    {
      id: `convolution/ConvInputGradient/${name}`,
      op: 'ConvInputGradient',
      inputs: [floats(y), floats(w)],
      attributes: { ...attributes, input_shape: x },
      differentiable: [0, 1],
      accumulation: product(w) / (w[1] as number),
    },
    {
      id: `convolution/ConvWeightGradient/${name}`,
      op: 'ConvWeightGradient',
      inputs: [floats(x), floats(y)],
      attributes: { ...attributes, weight_shape: w },
      differentiable: [0, 1],
      accumulation: product(y) / (y[1] as number),
    },
  ];
}

interface Transposed {
  readonly name: string;
  readonly x: readonly number[];
  readonly w: readonly number[];
  readonly attributes?: Partial<ConvTransposeAttributes>;
}

const transposed: readonly Transposed[] = [
  { name: '1d', x: [2, 2, 4], w: [2, 3, 3] },
  { name: '1d stride 2', x: [1, 2, 5], w: [2, 2, 3], attributes: { strides: [2], pads: [1, 0], output_padding: [1] } },
  { name: '1d dilation 2', x: [1, 1, 5], w: [1, 2, 3], attributes: { dilations: [2] } },
  { name: '2d', x: [1, 2, 3, 3], w: [2, 2, 2, 3] },
  {
    name: '2d stride 2 pads 1 output padding 1',
    x: [1, 1, 3, 4],
    w: [1, 2, 3, 3],
    attributes: { strides: [2, 2], pads: [1, 1, 1, 1], output_padding: [1, 1] },
  },
  {
    name: '2d unequal everything',
    x: [1, 2, 3, 2],
    w: [2, 1, 2, 3],
    attributes: { strides: [3, 1], dilations: [1, 2], pads: [1, 0, 0, 2], output_padding: [2, 0] },
  },
  { name: '2d groups 2', x: [2, 4, 2, 2], w: [4, 1, 2, 2], attributes: { group: 2, strides: [2, 1] } },
  { name: '2d depthwise', x: [1, 3, 3, 3], w: [3, 1, 2, 2], attributes: { group: 3, strides: [2, 2] } },
  {
    name: '2d output_shape',
    x: [1, 1, 3, 3],
    w: [1, 2, 3, 3],
    attributes: { strides: [3, 2], output_shape: [8, 6] },
  },
  {
    name: '2d output_shape beyond the natural one',
    x: [1, 1, 3, 3],
    w: [1, 1, 3, 3],
    attributes: { strides: [3, 2], output_shape: [10, 8] },
  },
  {
    name: '2d SAME_UPPER',
    x: [1, 1, 3, 3],
    w: [1, 2, 4, 3],
    attributes: { strides: [1, 2], auto_pad: 'SAME_UPPER' },
  },
  {
    name: '2d SAME_LOWER',
    x: [1, 1, 3, 3],
    w: [1, 2, 4, 3],
    attributes: { strides: [1, 2], auto_pad: 'SAME_LOWER' },
  },
  { name: '3d', x: [1, 2, 2, 2, 3], w: [2, 1, 2, 3, 2], attributes: { strides: [2, 1, 1], pads: [0, 1, 0, 1, 0, 1] } },
];

function transposedCases({ name, x, w, attributes = {} }: Transposed): readonly OpCase[] {
  const accumulation = product(w) / (w[1] as number);
  const bias = (w[1] as number) * (attributes.group ?? 1);
  return [
    {
      id: `convolution/ConvTranspose/${name}`,
      op: 'ConvTranspose',
      inputs: [floats(x), floats(w), floats([bias])],
      attributes,
      differentiable: [0, 1, 2],
      accumulation,
    },
    {
      id: `convolution/ConvTranspose/${name}, constant weight`,
      op: 'ConvTranspose',
      inputs: [floats(x), constant(floats(w))],
      attributes,
      accumulation,
    },
  ];
}

const others: readonly OpCase[] = [
  {
    id: 'convolution/Conv/large',
    op: 'Conv',
    inputs: [floats([2, 8, 20, 20]), floats([16, 8, 3, 3]), floats([16])],
    attributes: { pads: [1, 1, 1, 1] },
    accumulation: 72,
  },
  {
    id: 'convolution/ConvInputGradient/large',
    op: 'ConvInputGradient',
    inputs: [floats([2, 16, 10, 10]), floats([16, 8, 3, 3])],
    attributes: { pads: [1, 1, 1, 1], strides: [2, 2], input_shape: [2, 8, 20, 20] },
    accumulation: 144,
  },
  {
    id: 'convolution/ConvWeightGradient/large',
    op: 'ConvWeightGradient',
    inputs: [floats([4, 8, 20, 20]), floats([4, 16, 20, 20])],
    attributes: { pads: [1, 1, 1, 1], weight_shape: [16, 8, 3, 3] },
    accumulation: 1600,
  },
  {
    id: 'convolution/Conv/empty batch',
    op: 'Conv',
    inputs: [floats([0, 2, 5, 5]), floats([3, 2, 3, 3])],
  },
  {
    id: 'convolution/Conv/float16',
    op: 'Conv',
    inputs: [random('float16', [1, 2, 5, 5]), random('float16', [2, 2, 3, 3])],
    accumulation: 18,
  },
  {
    id: 'convolution/ConvTranspose/float16',
    op: 'ConvTranspose',
    inputs: [random('float16', [1, 2, 4, 4]), random('float16', [2, 2, 3, 3])],
    accumulation: 18,
  },
];

/** Convolutions and their gradients. */
export const convolutionCases: readonly OpCase[] = [
  ...convolutions.flatMap(convCases),
  ...convolutions.flatMap(gradientCases),
  ...transposed.flatMap(transposedCases),
  ...others,
];
