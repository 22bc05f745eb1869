import { floats, given, type OpCase, random } from './case.js';

const labels = given('int64', [2, 0, 3]);
const plane = random('int64', [2, 2, 3], { low: 0, high: 2 });
const withIgnored = given('int64', [2, -1, 0, -1]);
const classWeights = floats([4], { low: 0.3, high: 2 });

type LikelihoodName = 'SoftmaxCrossEntropyLoss' | 'NegativeLogLikelihoodLoss';

function likelihoodCases(op: LikelihoodName): readonly OpCase[] {
  const name = `loss/${op}`;
  const scores = floats([3, 4]);
  const image = floats([2, 3, 2, 3]);
  return [
    { id: `${name}/mean`, op, inputs: [scores, labels], differentiable: [0] },
    { id: `${name}/sum`, op, attributes: { reduction: 'sum' }, inputs: [scores, labels], differentiable: [0] },
    { id: `${name}/none`, op, attributes: { reduction: 'none' }, inputs: [scores, labels], differentiable: [0] },
    { id: `${name}/weighted mean`, op, inputs: [scores, labels, classWeights], differentiable: [0, 2] },
    {
      id: `${name}/weighted sum`,
      op,
      attributes: { reduction: 'sum' },
      inputs: [scores, labels, classWeights],
      differentiable: [0, 2],
    },
    {
      id: `${name}/weighted none`,
      op,
      attributes: { reduction: 'none' },
      inputs: [scores, labels, classWeights],
      differentiable: [0, 2],
    },
    {
      id: `${name}/ignored mean`,
      op,
      attributes: { ignore_index: -1 },
      inputs: [floats([4, 4]), withIgnored],
      differentiable: [0],
    },
    {
      id: `${name}/ignored weighted mean`,
      op,
      attributes: { ignore_index: -1 },
      inputs: [floats([4, 4]), withIgnored, classWeights],
      differentiable: [0, 2],
    },
    {
      id: `${name}/ignored none`,
      op,
      attributes: { ignore_index: 0, reduction: 'none' },
      inputs: [floats([4, 4]), given('int64', [2, 0, 1, 0])],
      differentiable: [0],
    },
    { id: `${name}/plane mean`, op, inputs: [image, plane], differentiable: [0] },
    { id: `${name}/plane none`, op, attributes: { reduction: 'none' }, inputs: [image, plane], differentiable: [0] },
    { id: `${name}/int32 labels`, op, inputs: [scores, given('int32', [1, 1, 0])] },
    {
      id: `${name}/large`,
      op,
      inputs: [floats([211, 37]), random('int64', [211], { low: 0, high: 36 })],
      accumulation: 211,
    },
    { id: `${name}/float64`, op, inputs: [random('float64', [3, 4]), labels] },
  ];
}

const places = given('int64', [2, 0, 3]);

/** Cases of the losses. */
export const lossCases: readonly OpCase[] = [
  {
    id: 'loss/SparseSoftmaxCrossEntropy/odd',
    op: 'SparseSoftmaxCrossEntropy',
    inputs: [floats([3, 4]), places],
    differentiable: [0],
  },
  {
    id: 'loss/SparseSoftmaxCrossEntropy/one sample',
    op: 'SparseSoftmaxCrossEntropy',
    inputs: [floats([1, 5]), given('int64', [4])],
    differentiable: [0],
  },
  {
    id: 'loss/SparseSoftmaxCrossEntropy/one class',
    op: 'SparseSoftmaxCrossEntropy',
    inputs: [floats([2, 1]), given('int64', [0, 0])],
    differentiable: [0],
  },
  {
    id: 'loss/SparseSoftmaxCrossEntropy/int32 labels',
    op: 'SparseSoftmaxCrossEntropy',
    inputs: [floats([3, 4]), given('int32', [1, 1, 0])],
    differentiable: [0],
  },
  {
    id: 'loss/SparseSoftmaxCrossEntropy/huge',
    op: 'SparseSoftmaxCrossEntropy',
    inputs: [given('float32', [1000, 0, -1000, 0], [2, 2]), given('int64', [1, 0])],
  },
  {
    id: 'loss/SparseSoftmaxCrossEntropy/empty',
    op: 'SparseSoftmaxCrossEntropy',
    inputs: [floats([0, 4]), given('int64', [])],
  },
  {
    id: 'loss/SparseSoftmaxCrossEntropy/large',
    op: 'SparseSoftmaxCrossEntropy',
    inputs: [floats([128, 37]), random('int64', [128], { low: 0, high: 36 })],
    accumulation: 37,
  },
  {
    id: 'loss/SparseSoftmaxCrossEntropyGradient/odd',
    op: 'SparseSoftmaxCrossEntropyGradient',
    inputs: [floats([3, 4]), places, floats([3])],
    differentiable: [0, 2],
  },
  {
    id: 'loss/SparseSoftmaxCrossEntropyGradient/one sample',
    op: 'SparseSoftmaxCrossEntropyGradient',
    inputs: [floats([1, 5]), given('int64', [4]), floats([1])],
    differentiable: [0, 2],
  },
  {
    id: 'loss/SparseSoftmaxCrossEntropyGradient/int32 labels',
    op: 'SparseSoftmaxCrossEntropyGradient',
    inputs: [floats([3, 4]), given('int32', [1, 1, 0]), floats([3])],
    differentiable: [0, 2],
  },
  {
    id: 'loss/SparseSoftmaxCrossEntropyGradient/large',
    op: 'SparseSoftmaxCrossEntropyGradient',
    inputs: [floats([128, 37]), random('int64', [128], { low: 0, high: 36 }), floats([128])],
  },
  ...(['SoftmaxCrossEntropyLoss', 'NegativeLogLikelihoodLoss'] as const).flatMap(likelihoodCases),
  {
    id: 'loss/SoftmaxCrossEntropyLoss/log-probabilities',
    op: 'SoftmaxCrossEntropyLoss',
    outputs: 2,
    inputs: [floats([3, 4]), labels],
    differentiable: [0],
  },
  {
    id: 'loss/SoftmaxCrossEntropyLoss/plane, log-probabilities',
    op: 'SoftmaxCrossEntropyLoss',
    outputs: 2,
    inputs: [floats([2, 3, 2, 3]), plane],
    differentiable: [0],
  },
];
