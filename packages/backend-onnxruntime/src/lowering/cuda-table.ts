import type { LoweringTable } from './lowering.js';
import { loweringTable } from './lowering-table.js';
import { cudaRecurrentLowerings } from './recurrent.js';

/**
 * How each op of core reaches ONNX Runtime's CUDA provider: as on the CPU, except where that provider has no kernel or refuses one. What is
 * left without a kernel runs on the CPU, with copies in between.
 *
 * @see onnxruntime/docs/OperatorKernels.md
 */
export const cudaTable: LoweringTable = {
  ...loweringTable,
  // "Training mode does not support BN opset 14".
  BatchNormalizationTraining: 'decompose',
  BatchNormalizationGradient: 'decompose',
  // The CPU's forms put maxima back by MaxUnpool, which has no kernel.
  MaxPool: 'direct',
  MaxPoolGradient: 'decompose',
  SoftmaxCrossEntropyLoss: 'decompose',
  NegativeLogLikelihoodLoss: 'decompose',
  Mean: 'decompose',
  GroupNormalization: 'decompose',
  // cuDNN transposes faster than a convolution of flipped weights; one-hot columns are a trick of the CPU.
  ConvInputGradient: 'decompose',
  ConvWeightGradient: 'decompose',
  ReluGradient: 'decompose',
  ...cudaRecurrentLowerings,
};
