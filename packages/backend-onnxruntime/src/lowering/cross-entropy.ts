import { concreteShape, fullTensor, type GraphBuilder, type Value } from '@modelwright/core';
import type { Rewrite } from './lowering.js';

/**
 * `z = x − max x`, `s = Σ eᶻ`; loss `log s − z[label]`, probabilities `eᶻ / s`: one exponential for both.
 */
export const sparseCrossEntropy: Rewrite<'SparseSoftmaxCrossEntropy'> = ({ builder, input }) => {
  const [logits, labels] = [input(0), input(1)];
  const last = builder.integers([1]);
  const shifted = builder.op('Sub', [logits, builder.op('ReduceMax', [logits, last], { keepdims: 1 })]);
  const exponentials = builder.op('Exp', [shifted]);
  const sums = builder.op('ReduceSum', [exponentials, last], { keepdims: 1 });
  const column = builder.op('Unsqueeze', [toInt64(builder, labels), last]);
  const chosen = builder.op('GatherElements', [shifted, column], { axis: 1 });
  const loss = builder.op('Squeeze', [builder.op('Sub', [builder.op('Log', [sums]), chosen]), last]);
  return [loss, builder.op('Div', [exponentials, sums])];
};

/** `dx = (p − onehot(label)) · dloss`: −1 is scattered into `p`, which beats a one-hot matrix many times over. */
export const sparseCrossEntropyGradient: Rewrite<'SparseSoftmaxCrossEntropyGradient'> = ({ builder, input }) => {
  const [probabilities, labels, gradient] = [input(0), input(1), input(2)];
  const [rows] = concreteShape(probabilities.shape, `'${probabilities.name}'`) as [number];
  const last = builder.integers([1]);
  const rowIndices = builder.op('Unsqueeze', [builder.integers(Array.from({ length: rows }, (_, row) => row)), last]);
  const indices = builder.op('Concat', [rowIndices, builder.op('Unsqueeze', [toInt64(builder, labels), last])], {
    axis: 1,
  });
  const minusOnes = builder.constant(fullTensor(probabilities.dtype, [rows], -1));
  const difference = builder.op('ScatterND', [probabilities, indices, minusOnes], { reduction: 'add' });
  return [builder.op('Mul', [difference, builder.op('Unsqueeze', [gradient, last])])];
};

function toInt64(builder: GraphBuilder, labels: Value): Value {
  return labels.dtype === 'int64' ? labels : builder.op('Cast', [labels], { to: 7 });
}
