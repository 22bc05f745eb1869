import type { DType } from '../tensor/dtype.js';
import { onnxDataType } from '../tensor/onnx-data-type.js';
import { type CaseInput, floats, given, type OpCase, random } from './case.js';

const quantized: readonly DType[] = ['int8', 'uint8', 'int16', 'uint16', 'int4', 'uint4'];

interface Layout {
  readonly name: string;
  readonly shape: readonly number[];
  readonly scale: readonly number[];
  readonly attributes?: { readonly axis?: number; readonly block_size?: number };
}

const layouts: readonly Layout[] = [
  { name: 'per tensor', shape: [3, 5], scale: [] },
  { name: 'per axis 1', shape: [2, 3, 4], scale: [3] },
  { name: 'per axis 0', shape: [4, 3], scale: [4], attributes: { axis: 0 } },
  { name: 'per last axis', shape: [2, 2, 3], scale: [3], attributes: { axis: -1 } },
  { name: 'blocks of 2', shape: [2, 6, 3], scale: [2, 3, 3], attributes: { axis: 1, block_size: 2 } },
  { name: 'blocks of 4, the last one short', shape: [3, 10], scale: [3, 3], attributes: { axis: 1, block_size: 4 } },
];

const scales = (shape: readonly number[]): CaseInput => floats(shape, { low: 0.02, high: 0.5 });

// Runtimes do not exchange tensors of 4 bits: they can only stand inside of a graph.
const isNarrow = (dtype: DType): boolean => dtype.endsWith('int4');
const held = (input: CaseInput): CaseInput => (isNarrow(input.dtype) ? { ...input, constant: true } : input);

const linear: readonly OpCase[] = layouts.flatMap(({ name, shape, scale, attributes = {} }) =>
  quantized.map(
    (dtype): OpCase => ({
      id: `quantization/DequantizeLinear/${name} ${dtype}`,
      op: 'DequantizeLinear',
      inputs: [held(random(dtype, shape)), scales(scale), held(random(dtype, scale))],
      attributes,
    }),
  ),
);

const rounding: readonly OpCase[] = layouts.flatMap(({ name, shape, scale, attributes = {} }) =>
  quantized
    .filter((dtype) => !isNarrow(dtype) || name === 'per tensor' || name === 'blocks of 2')
    .map(
      (dtype): OpCase => ({
        id: `quantization/QuantizeLinear/${name} ${dtype}`,
        op: 'QuantizeLinear',
        inputs: [floats(shape, { low: -4, high: 4 }), scales(scale), held(random(dtype, scale))],
        attributes,
      }),
    ),
);

const special: readonly OpCase[] = [
  {
    id: 'quantization/QuantizeLinear/halves go to even',
    op: 'QuantizeLinear',
    inputs: [
      given('float32', [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5]),
      given('float32', [1], []),
      given('int8', [0], []),
    ],
  },
  {
    id: 'quantization/QuantizeLinear/saturates',
    op: 'QuantizeLinear',
    inputs: [
      given('float32', [-1e9, -129, -128, 127, 128, 1e9, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]),
      given('float32', [1], []),
      given('int8', [0], []),
    ],
  },
  {
    id: 'quantization/QuantizeLinear/no zero point',
    op: 'QuantizeLinear',
    inputs: [floats([2, 3]), scales([])],
  },
  {
    id: 'quantization/QuantizeLinear/output dtype',
    op: 'QuantizeLinear',
    inputs: [floats([2, 3]), scales([])],
    attributes: { output_dtype: onnxDataType('int16') },
  },
  {
    id: 'quantization/QuantizeLinear/float16',
    op: 'QuantizeLinear',
    inputs: [random('float16', [2, 3]), given('float16', [0.25], []), given('uint8', [3], [])],
  },
  { id: 'quantization/QuantizeLinear/empty', op: 'QuantizeLinear', inputs: [floats([0, 3]), scales([])] },
  {
    id: 'quantization/DequantizeLinear/int32',
    op: 'DequantizeLinear',
    inputs: [random('int32', [2, 3], { low: -1000, high: 1000 }), scales([])],
  },
  {
    id: 'quantization/DynamicQuantizeLinear/both signs',
    op: 'DynamicQuantizeLinear',
    inputs: [floats([3, 4])],
    outputs: 3,
  },
  {
    id: 'quantization/DynamicQuantizeLinear/positive',
    op: 'DynamicQuantizeLinear',
    inputs: [floats([5], { low: 1, high: 2 })],
    outputs: 3,
  },
  {
    id: 'quantization/DynamicQuantizeLinear/negative',
    op: 'DynamicQuantizeLinear',
    inputs: [floats([5], { low: -2, high: -1 })],
    outputs: 3,
  },
  {
    id: 'quantization/DynamicQuantizeLinear/zeros',
    op: 'DynamicQuantizeLinear',
    inputs: [given('float32', [0, 0, 0])],
    outputs: 3,
  },
];

const products: readonly OpCase[] = [
  {
    id: 'quantization/MatMulInteger/uint8 int8',
    op: 'MatMulInteger',
    inputs: [random('uint8', [3, 4], { high: 255 }), random('int8', [4, 2], { low: -128, high: 127 })],
  },
  {
    id: 'quantization/MatMulInteger/zero points',
    op: 'MatMulInteger',
    inputs: [random('uint8', [3, 4]), random('uint8', [4, 2]), given('uint8', [5], []), given('uint8', [2], [])],
  },
  {
    id: 'quantization/MatMulInteger/zero point a column',
    op: 'MatMulInteger',
    inputs: [random('int8', [2, 3, 4]), random('int8', [4, 2]), given('int8', [1], []), given('int8', [2, -3])],
  },
  {
    id: 'quantization/MatMulInteger/zero point a row',
    op: 'MatMulInteger',
    inputs: [random('int8', [3, 4]), random('int8', [4, 2]), given('int8', [1, 0, -2])],
  },
  {
    id: 'quantization/ConvInteger/2d',
    op: 'ConvInteger',
    inputs: [
      random('uint8', [1, 2, 5, 5], { high: 255 }),
      random('uint8', [3, 2, 3, 3], { high: 255 }),
      given('uint8', [100], []),
    ],
    attributes: { pads: [1, 1, 1, 1], strides: [2, 2] },
  },
  {
    id: 'quantization/ConvInteger/zero points',
    op: 'ConvInteger',
    inputs: [
      random('uint8', [1, 4, 4, 4]),
      random('uint8', [2, 2, 2, 2]),
      given('uint8', [3], []),
      given('uint8', [2], []),
    ],
    attributes: { group: 2 },
  },
  {
    id: 'quantization/ConvInteger/zero point a filter',
    op: 'ConvInteger',
    inputs: [
      random('uint8', [1, 2, 4]),
      random('uint8', [3, 2, 2]),
      given('uint8', [3], []),
      given('uint8', [2, 0, 5]),
    ],
  },
];

const fake: readonly OpCase[] = [
  { name: 'per tensor', shape: [3, 5], scale: [] },
  { name: 'one of a vector', shape: [3, 1, 2], scale: [1] },
  { name: 'per axis 1', shape: [2, 3, 4], scale: [3] },
  { name: 'per axis 0', shape: [4, 3, 2, 2], scale: [4], axis: 0 },
  { name: 'per last axis', shape: [2, 2, 3], scale: [3], axis: -1 },
  { name: 'vector', shape: [5], scale: [5], axis: 0 },
  { name: 'scalar', shape: [], scale: [] },
  { name: 'empty', shape: [0, 3], scale: [3] },
  { name: 'large', shape: [8, 33, 37], scale: [33] },
].flatMap(({ name, shape, scale, axis = 1 }): readonly OpCase[] => {
  const inputs = [floats(shape, { low: -4, high: 4 }), scales(scale)];
  const zeroPoint = { ...random('float32', scale), values: scale.length === 0 ? [90] : ramp(scale[0] as number) };
  return [
    {
      id: `quantization/FakeQuantize/${name}, symmetric`,
      op: 'FakeQuantize',
      inputs,
      attributes: { axis, low: -7, high: 7 },
    },
    {
      id: `quantization/FakeQuantize/${name}`,
      op: 'FakeQuantize',
      inputs: [...inputs, zeroPoint],
      attributes: { axis },
    },
  ];
});

function ramp(length: number): number[] {
  return Array.from({ length }, (_, index) => (index * 67) % 256);
}

const fakeSpecial: readonly OpCase[] = [
  {
    id: 'quantization/FakeQuantize/halves go to even, ends saturate',
    op: 'FakeQuantize',
    inputs: [
      given('float32', [-1e9, -2.5, -1.5, -0.5, -0, 0.5, 1.5, 2.5, 1e9, Number.POSITIVE_INFINITY]),
      given('float32', [1], []),
    ],
    attributes: { low: -8, high: 7 },
  },
  {
    id: 'quantization/FakeQuantize/float16',
    op: 'FakeQuantize',
    inputs: [random('float16', [2, 3]), given('float16', [0.25], []), given('float16', [3], [])],
  },
];

/** Quantization and products of quantized numbers. */
export const quantizationCases: readonly OpCase[] = [
  ...linear,
  ...rounding,
  ...special,
  ...products,
  ...fake,
  ...fakeSpecial,
];
