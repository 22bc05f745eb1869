import { counterUniform, dtypeOfOnnx, ModelwrightError, onnxDataType, Tensor, tensor } from '@modelwright/core';
import type { TensorInfo } from '../device/tfjs-core.js';
import { combine } from './elementwise.js';
import {
  countOf,
  host,
  type KernelLowering,
  kernel,
  type LoweringFamily,
  type StepScope,
  takes,
  takesAt,
} from './lowering.js';
import { fromFront } from './shapes.js';

const lastAxisSoftmax: KernelLowering<'Softmax'> = kernel((node) => {
  const rank = node.inputs[0]?.shape.length ?? 0;
  if (!takes(node, 'float32') || rank === 0 || fromFront(node.attributes.axis, rank) !== rank - 1) return undefined;
  return (scope) => scope.run('Softmax', { logits: scope.device(0) }, { dim: rank - 1 });
});

/** Normalizations. */
export const normalizationLowerings: LoweringFamily<
  | 'Softmax'
  | 'LogSoftmax'
  | 'Hardmax'
  | 'BatchNormalization'
  | 'LayerNormalization'
  | 'InstanceNormalization'
  | 'GroupNormalization'
  | 'RMSNormalization'
  | 'LpNormalization'
  | 'MeanVarianceNormalization'
  | 'LRN'
  | 'BatchNormalizationTraining'
  | 'BatchNormalizationGradient'
> = {
  Softmax: lastAxisSoftmax,
  LogSoftmax: 'decompose',
  Hardmax: 'decompose',
  BatchNormalization: 'decompose',
  LayerNormalization: 'decompose',
  InstanceNormalization: 'decompose',
  GroupNormalization: 'decompose',
  RMSNormalization: 'decompose',
  LpNormalization: 'decompose',
  MeanVarianceNormalization: 'decompose',
  LRN: 'decompose',
  BatchNormalizationTraining: 'decompose',
  BatchNormalizationGradient: 'decompose',
};

/** Attention and positions. */
export const attentionLowerings: LoweringFamily<'Attention' | 'RotaryEmbedding' | 'Positions'> = {
  Attention: 'decompose',
  RotaryEmbedding: 'decompose',
  Positions: 'decompose',
};

/** Coordinates of each sample's label. */
function labelPlaces(scope: StepScope, labels: readonly number[], classes: number): TensorInfo {
  const coordinates = new Int32Array(2 * labels.length);
  labels.forEach((label, row) => {
    if (label < 0 || label >= classes) {
      const message = `label ${label} of sample ${row} is out of range; there are ${classes} classes`;
      throw new ModelwrightError('value-out-of-range', message, { given: label, allowed: classes });
    }
    coordinates.set([row, label], 2 * row);
  });
  return scope.upload(new Tensor('int32', [labels.length, 2], coordinates));
}

// With p the softmax and m the largest score, Σe^(x−m) = 1/max p: loss = m − x[label] − ln(max p).
const sparseLoss: KernelLowering<'SparseSoftmaxCrossEntropy'> = kernel((node) => {
  if (!takesAt(node, 0, 'float32')) return undefined;
  return (scope) => {
    const logits = scope.device(0);
    const [, classes] = logits.shape as [number, number];
    const p = scope.run('Softmax', { logits }, { dim: 1 });
    const largest = (x: TensorInfo): TensorInfo => scope.run('Max', { x }, { reductionIndices: [1], keepDims: false });
    const picked = scope.run('GatherNd', {
      params: logits,
      indices: labelPlaces(scope, scope.held(1).numbers(), classes),
    });
    const behind = scope.run('Sub', { a: largest(logits), b: picked });
    return [scope.run('Sub', { a: behind, b: scope.run('Log', { x: largest(p) }) }), p];
  };
});

// dx = (p − onehot(labels))·dloss
const sparseLossGradient: KernelLowering<'SparseSoftmaxCrossEntropyGradient'> = kernel((node) => {
  if (!takesAt(node, 0, 'float32')) return undefined;
  return (scope) => {
    const p = scope.device(0);
    const [count, classes] = p.shape as [number, number];
    const indices = labelPlaces(scope, scope.held(1).numbers(), classes);
    const updates = scope.run('Fill', {}, { shape: [count], value: -1, dtype: 'float32' });
    const less = scope.run('ScatterNd', { indices, updates }, { shape: [count, classes] });
    const difference = scope.run('Add', { a: p, b: less });
    return scope.run('Multiply', { a: difference, b: scope.reshape(scope.device(2), [count, 1]) });
  };
});

/** Losses. */
export const lossLowerings: LoweringFamily<
  | 'SparseSoftmaxCrossEntropy'
  | 'SparseSoftmaxCrossEntropyGradient'
  | 'SoftmaxCrossEntropyLoss'
  | 'NegativeLogLikelihoodLoss'
> = {
  SparseSoftmaxCrossEntropy: sparseLoss,
  SparseSoftmaxCrossEntropyGradient: sparseLossGradient,
  SoftmaxCrossEntropyLoss: 'decompose',
  NegativeLogLikelihoodLoss: 'decompose',
};

const cast: KernelLowering<'Cast'> = kernel((node) => {
  const from = node.inputs[0]?.dtype;
  const to = dtypeOfOnnx(node.attributes.to);
  if (from === to) return (scope) => scope.held(0);
  const small = ['int32', 'int8', 'uint8', 'int16', 'uint16', 'bool'];
  if (from === undefined || !(small.includes(from) || from === 'float32')) return undefined;
  if (to === 'bool') {
    return (scope) => {
      const x = scope.device(0);
      return combine(scope, 'NotEqual', x, scope.scalar(0, x.dtype as 'float32' | 'int32'));
    };
  }
  if (to === 'float32' || (to === 'int32' && from !== 'float32')) {
    return (scope) => scope.run('Cast', { x: scope.device(0) }, { dtype: to });
  }
  return undefined;
});

const hostIntegers = 'extents and counts are integers of the host';

/** Creation, conversion and what concerns shapes. */
export const creationLowerings: LoweringFamily<
  'Constant' | 'ConstantOfShape' | 'Shape' | 'Size' | 'Range' | 'Cast' | 'CastLike'
> = {
  Constant: kernel((node) => () => node.attributes.value),
  ConstantOfShape: kernel((node) => {
    const { value } = node.attributes;
    if (value !== undefined && value.dtype !== 'float32') return undefined;
    const fill = value === undefined ? 0 : Number(value.data[0]);
    return (scope) => scope.run('Fill', {}, { shape: scope.held(0).numbers(), value: fill, dtype: 'float32' });
  }),
  Shape: kernel((node) => {
    const { start, end } = node.attributes;
    return (scope) => {
      const part = scope.held(0).shape.slice(start, end);
      return tensor(part, { dtype: 'int64', shape: [part.length] });
    };
  }),
  Size: kernel(() => (scope) => tensor(BigInt(countOf(scope.held(0).shape)), { dtype: 'int64', shape: [] })),
  Range: host(hostIntegers),
  Cast: cast,
  CastLike: 'decompose',
};

const hostRandom = 'numbers are drawn on the host, so that a seed gives the same ones everywhere';

/** Random numbers. */
export const randomLowerings: LoweringFamily<
  | 'RandomNormal'
  | 'RandomUniform'
  | 'RandomNormalLike'
  | 'RandomUniformLike'
  | 'Bernoulli'
  | 'Multinomial'
  | 'Dropout'
  | 'CounterUniform'
> = {
  RandomNormal: host(hostRandom),
  RandomUniform: host(hostRandom),
  RandomNormalLike: host(hostRandom),
  RandomUniformLike: host(hostRandom),
  Bernoulli: host(hostRandom),
  Multinomial: host(hostRandom),
  Dropout: host(hostRandom),
  CounterUniform: kernel((node) => {
    const { seed, shape, dtype } = node.attributes;
    if (dtype !== onnxDataType('float32')) return undefined;
    return (scope) => {
      const counter = scope.held(0).host().data[0] as bigint;
      return new Tensor('float32', shape, counterUniform(seed, counter, countOf(shape)));
    };
  }),
};

const noInt8 = 'tfjs has no 8-bit integers';

/** Quantized arithmetic. */
export const quantizationLowerings: LoweringFamily<
  'QuantizeLinear' | 'DequantizeLinear' | 'DynamicQuantizeLinear' | 'MatMulInteger' | 'ConvInteger' | 'FakeQuantize'
> = {
  QuantizeLinear: host(noInt8),
  DequantizeLinear: host(noInt8),
  DynamicQuantizeLinear: host(noInt8),
  MatMulInteger: host(noInt8),
  ConvInteger: host(noInt8),
  FakeQuantize: 'decompose',
};
