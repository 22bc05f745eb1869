import { onnxDataType } from '../tensor/onnx-data-type.js';
import { floats, given, type OpCase, random, scalar } from './case.js';

/** Cases of the random ops: such in which chance has no say, so that every backend must agree. */
export const randomCases: readonly OpCase[] = [
  {
    id: 'random/RandomNormal/no spread',
    op: 'RandomNormal',
    inputs: [],
    attributes: { shape: [2, 3], mean: 1.5, scale: 0 },
  },
  {
    id: 'random/RandomNormal/no spread, double',
    op: 'RandomNormal',
    inputs: [],
    attributes: { shape: [4], mean: -1, scale: 0, dtype: onnxDataType('float64') },
  },
  {
    id: 'random/RandomUniform/no spread',
    op: 'RandomUniform',
    inputs: [],
    attributes: { shape: [3, 1], low: 0.25, high: 0.25 },
  },
  {
    id: 'random/RandomNormalLike/no spread',
    op: 'RandomNormalLike',
    inputs: [floats([2, 2])],
    attributes: { mean: 3, scale: 0 },
  },
  {
    id: 'random/RandomUniformLike/no spread',
    op: 'RandomUniformLike',
    inputs: [random('int32', [3])],
    attributes: { low: 2, high: 2, dtype: 1 },
  },
  { id: 'random/Bernoulli/certain', op: 'Bernoulli', inputs: [given('float32', [0, 1, 1, 0], [2, 2])] },
  {
    id: 'random/Bernoulli/certain, int64',
    op: 'Bernoulli',
    inputs: [given('float32', [1, 0])],
    attributes: { dtype: onnxDataType('int64') },
  },
  {
    id: 'random/Multinomial/certain',
    op: 'Multinomial',
    inputs: [given('float32', [0, 200, 0, 200, 0, 0], [2, 3])],
    attributes: { sample_size: 4 },
  },
  {
    id: 'random/Multinomial/certain, int64',
    op: 'Multinomial',
    inputs: [given('float32', [0, 200], [1, 2])],
    attributes: { sample_size: 2, dtype: onnxDataType('int64') },
  },
  { id: 'random/Dropout/inference', op: 'Dropout', inputs: [floats([2, 3])], differentiable: [0] },
  {
    id: 'random/Dropout/inference with ratio and mask',
    op: 'Dropout',
    inputs: [floats([2, 3]), scalar('float32', 0.7)],
    outputs: 2,
    differentiable: [0],
  },
  {
    id: 'random/Dropout/training mode off',
    op: 'Dropout',
    inputs: [floats([4]), scalar('float32', 0.7), scalar('bool', false)],
    outputs: 2,
    differentiable: [0],
  },
  {
    id: 'random/Dropout/training with ratio 0',
    op: 'Dropout',
    inputs: [floats([2, 2]), scalar('float32', 0), scalar('bool', true)],
    outputs: 2,
    differentiable: [0],
  },
  ...[
    { what: 'first step', counter: 0n, seed: 1, shape: [2, 3] },
    { what: 'a late step', counter: 2n ** 40n + 12345n, seed: 4294967295, shape: [7] },
    { what: 'scalar', counter: 3n, seed: 9, shape: [] },
    { what: 'empty', counter: 3n, seed: 9, shape: [0, 2] },
    { what: 'large', counter: 77n, seed: 123456789, shape: [101, 99] },
  ].map(
    ({ what, counter, seed, shape }): OpCase => ({
      id: `random/CounterUniform/${what}`,
      op: 'CounterUniform',
      inputs: [given('int64', [counter], [])],
      attributes: { seed, shape },
    }),
  ),
  {
    id: 'random/CounterUniform/double',
    op: 'CounterUniform',
    inputs: [given('int64', [5], [])],
    attributes: { seed: 2, shape: [4], dtype: onnxDataType('float64') },
  },
];
