import type { NoAttributes, OpFamily } from './definition.js';
import { negativeLogLikelihoodLoss, softmaxCrossEntropyLoss } from './negative-log-likelihood.js';
import { sparseSoftmaxCrossEntropy, sparseSoftmaxCrossEntropyGradient } from './sparse-softmax-cross-entropy.js';

/** Attributes of the ONNX losses. */
export interface LikelihoodAttributes {
  reduction: 'none' | 'mean' | 'sum';
  /** Samples with this label count neither in the sum nor in the mean. */
  ignore_index?: number;
}

/** Attributes of the fused losses, by op. */
export interface LossAttributes {
  /** Own domain: `(logits [n, classes], labels int [n])` → `(loss [n], probabilities [n, classes])`; `loss = −log softmax(logits)[label]`. */
  SparseSoftmaxCrossEntropy: NoAttributes;
  /** Own domain: `(probabilities, labels, dloss [n])` → `dlogits = (probabilities − onehot(labels))·dloss`. */
  SparseSoftmaxCrossEntropyGradient: NoAttributes;
  SoftmaxCrossEntropyLoss: LikelihoodAttributes;
  NegativeLogLikelihoodLoss: LikelihoodAttributes;
}

/** Fused losses. */
export const loss: OpFamily<LossAttributes> = {
  SparseSoftmaxCrossEntropy: sparseSoftmaxCrossEntropy,
  SparseSoftmaxCrossEntropyGradient: sparseSoftmaxCrossEntropyGradient,
  SoftmaxCrossEntropyLoss: softmaxCrossEntropyLoss,
  NegativeLogLikelihoodLoss: negativeLogLikelihoodLoss,
};
