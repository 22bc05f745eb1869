import type { NoAttributes, OpFamily } from './definition.js';
import { pending } from './pending.js';

/** Attributes of the fused losses, by op. */
export interface LossAttributes {
  /** Own domain: `(logits [n, classes], labels int [n])` → `(loss [n], probabilities [n, classes])`; `loss = −log softmax(logits)[label]`. */
  SparseSoftmaxCrossEntropy: NoAttributes;
  /** Own domain: `(probabilities, labels, dloss [n])` → `dlogits = (probabilities − onehot(labels))·dloss`. */
  SparseSoftmaxCrossEntropyGradient: NoAttributes;
  SoftmaxCrossEntropyLoss: { reduction: 'none' | 'mean' | 'sum'; ignore_index?: number };
  NegativeLogLikelihoodLoss: { reduction: 'none' | 'mean' | 'sum'; ignore_index?: number };
}

/** Fused losses. */
export const loss: OpFamily<LossAttributes> = pending<LossAttributes>();
