import type { OpCase } from '../../../core/src/cases/index.js';
import { floats, given, random } from '../../../core/src/cases/index.js';

const conv = { auto_pad: 'NOTSET', group: 1 } as const;
const pool = { auto_pad: 'NOTSET', ceil_mode: 0 } as const;

/** Shapes and windows that take each way through the rewrites of this package. */
export const gradientFormCases: readonly OpCase[] = [
  {
    id: 'lowering/ConvInputGradient/flip',
    op: 'ConvInputGradient',
    inputs: [floats([2, 4, 5, 6]), floats([4, 3, 3, 3])],
    attributes: { ...conv, pads: [1, 1, 1, 1], input_shape: [2, 3, 5, 6] },
    accumulation: 36,
  },
  {
    id: 'lowering/ConvInputGradient/flip dilated groups',
    op: 'ConvInputGradient',
    inputs: [floats([2, 4, 3, 6]), floats([4, 3, 3, 1])],
    attributes: { ...conv, group: 2, dilations: [2, 1], pads: [0, 0, 1, 0], input_shape: [2, 6, 6, 6] },
    accumulation: 36,
  },
  {
    id: 'lowering/ConvInputGradient/stride',
    op: 'ConvInputGradient',
    inputs: [floats([2, 4, 3, 3]), floats([4, 2, 3, 2])],
    attributes: { ...conv, group: 2, strides: [2, 3], pads: [1, 0, 1, 1], input_shape: [2, 4, 6, 8] },
    accumulation: 36,
  },
  {
    id: 'lowering/ConvInputGradient/1d',
    op: 'ConvInputGradient',
    inputs: [floats([2, 4, 7]), floats([4, 3, 1])],
    attributes: { ...conv, input_shape: [2, 3, 7] },
    accumulation: 4,
  },
  {
    id: 'lowering/ConvInputGradient/pad beyond kernel',
    op: 'ConvInputGradient',
    inputs: [floats([1, 2, 6, 6]), floats([2, 2, 1, 1])],
    attributes: { ...conv, pads: [1, 1, 1, 1], input_shape: [1, 2, 4, 4] },
    accumulation: 4,
  },
  {
    id: 'lowering/ConvInputGradient/3d',
    op: 'ConvInputGradient',
    inputs: [floats([1, 2, 2, 3, 2]), floats([2, 2, 2, 2, 2])],
    attributes: { ...conv, strides: [1, 1, 2], input_shape: [1, 2, 3, 4, 4] },
    accumulation: 16,
  },
  {
    id: 'lowering/ConvWeightGradient/plain',
    op: 'ConvWeightGradient',
    inputs: [floats([2, 3, 5, 6]), floats([2, 4, 5, 6])],
    attributes: { ...conv, pads: [1, 1, 1, 1], weight_shape: [4, 3, 3, 3] },
    accumulation: 60,
  },
  {
    id: 'lowering/ConvWeightGradient/groups stride',
    op: 'ConvWeightGradient',
    inputs: [floats([2, 4, 6, 8]), floats([2, 4, 3, 3])],
    attributes: { ...conv, group: 2, strides: [2, 3], pads: [1, 0, 1, 1], weight_shape: [4, 2, 3, 2] },
    accumulation: 18,
  },
  {
    id: 'lowering/ConvWeightGradient/depthwise dilated',
    op: 'ConvWeightGradient',
    inputs: [floats([2, 3, 6, 6]), floats([2, 3, 2, 4])],
    attributes: { ...conv, group: 3, dilations: [2, 1], weight_shape: [3, 1, 3, 3] },
    accumulation: 16,
  },
  {
    id: 'lowering/ConvWeightGradient/pointwise',
    op: 'ConvWeightGradient',
    inputs: [floats([3, 4, 5]), floats([3, 2, 5])],
    attributes: { ...conv, weight_shape: [2, 4, 1] },
    accumulation: 15,
  },
  {
    id: 'lowering/ConvWeightGradient/3d',
    op: 'ConvWeightGradient',
    inputs: [floats([1, 2, 3, 4, 4]), floats([1, 2, 2, 3, 2])],
    attributes: { ...conv, strides: [1, 1, 2], weight_shape: [2, 2, 2, 2, 2] },
    accumulation: 12,
  },
  {
    id: 'lowering/ReluGradient/signs',
    op: 'ReluGradient',
    inputs: [floats([6]), given('float32', [0, 1e-37, 3, -0, 1e30, 0.5])],
  },
  {
    id: 'lowering/BatchNormalizationTraining/image',
    op: 'BatchNormalizationTraining',
    inputs: [floats([3, 4, 5, 2]), floats([4]), floats([4])],
    attributes: { epsilon: 1e-3 },
    accumulation: 30,
  },
  {
    id: 'lowering/BatchNormalizationTraining/vector',
    op: 'BatchNormalizationTraining',
    inputs: [floats([7, 4]), floats([4]), floats([4])],
    attributes: { epsilon: 1e-3 },
    accumulation: 7,
  },
  {
    id: 'lowering/BatchNormalizationGradient/image',
    op: 'BatchNormalizationGradient',
    inputs: [floats([3, 4, 5, 2]), floats([3, 4, 5, 2]), floats([4]), floats([4]), floats([4], { low: 0.5, high: 2 })],
    attributes: { epsilon: 1e-3 },
    accumulation: 30,
  },
  {
    id: 'lowering/BatchNormalizationGradient/vector',
    op: 'BatchNormalizationGradient',
    inputs: [floats([7, 4]), floats([7, 4]), floats([4]), floats([4]), floats([4], { low: 0.5, high: 2 })],
    attributes: { epsilon: 1e-3 },
    accumulation: 7,
  },
  {
    id: 'lowering/SparseSoftmaxCrossEntropy/int32',
    op: 'SparseSoftmaxCrossEntropy',
    inputs: [floats([4, 3], { high: 20 }), given('int32', [0, 2, 1, 2])],
    accumulation: 3,
  },
  {
    id: 'lowering/SparseSoftmaxCrossEntropyGradient/int64',
    op: 'SparseSoftmaxCrossEntropyGradient',
    inputs: [floats([4, 3], { low: 0, high: 1 }), given('int64', [0n, 2n, 1n, 2n]), floats([4])],
    accumulation: 3,
  },
  {
    id: 'lowering/CounterUniform/odd',
    op: 'CounterUniform',
    inputs: [given('int64', [5_000_000_123n], [])],
    attributes: { seed: 123_456_789, shape: [3, 5, 7], dtype: 1 },
  },
  {
    id: 'lowering/ReduceSumSquare/axes',
    op: 'ReduceSumSquare',
    inputs: [random('float32', [3, 4, 5]), { dtype: 'int64', shape: [2], values: [0n, 2n], constant: true }],
    attributes: { keepdims: 0 },
    accumulation: 15,
  },
];

/** Poolings with what their gradient takes; `y` comes from the pooling itself, so that maxima are where it says. */
export const poolings = [
  { x: [2, 3, 9, 14], attributes: { ...pool, kernel_shape: [3, 4], strides: [3, 4] } },
  { x: [2, 2, 5, 4], attributes: { ...pool, kernel_shape: [1, 2], strides: [1, 2] } },
  { x: [2, 2, 8, 6], attributes: { ...pool, kernel_shape: [2, 2], strides: [2, 2], dilations: [2, 1] } },
  { x: [2, 3, 6, 6], attributes: { ...pool, kernel_shape: [2, 2], strides: [2, 2] } },
  { x: [2, 3, 7, 5], attributes: { ...pool, kernel_shape: [2, 2], strides: [2, 2] } },
  { x: [2, 3, 6, 6], attributes: { ...pool, kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] } },
  { x: [1, 2, 9], attributes: { ...pool, kernel_shape: [3], strides: [1] } },
  { x: [1, 2, 7, 7], attributes: { ...pool, kernel_shape: [2, 2], strides: [3, 3], ceil_mode: 1 } },
  { x: [1, 2, 4, 4, 4], attributes: { ...pool, kernel_shape: [2, 2, 2], strides: [2, 2, 2] } },
] as const;
