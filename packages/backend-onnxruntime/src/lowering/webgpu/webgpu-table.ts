import type { LoweringTable } from '../lowering.js';
import { loweringTable } from '../lowering-table.js';
import { webgpuRecurrentLowerings } from '../recurrent.js';
import { conv } from './conv.js';
import { convTranspose } from './conv-transpose.js';
import { maxPoolGradient } from './max-pool-gradient.js';
import { hardSwish, mod, round, sign } from './simple.js';
import { slice } from './slice.js';

/**
 * How each op of core reaches ONNX Runtime's WebGPU provider: as on the CPU, except where that provider has no kernel, or one that fails
 * when it runs. What has neither kernel nor simpler form here is left to the CPU, with copies in between.
 */
export const webgpuTable: LoweringTable = {
  ...loweringTable,
  // Without kernel.
  Sign: sign,
  Round: round,
  Mod: mod,
  Sum: 'decompose',
  Mean: 'decompose',
  Softsign: 'decompose',
  HardSwish: hardSwish,
  Selu: 'decompose',
  Celu: 'decompose',
  LogSoftmax: 'decompose',
  GroupNormalization: 'decompose',
  SoftmaxCrossEntropyLoss: 'decompose',
  NegativeLogLikelihoodLoss: 'decompose',
  // Claimed, then refused when it runs.
  ...webgpuRecurrentLowerings,
  BatchNormalizationTraining: 'decompose',
  BatchNormalizationGradient: 'decompose',
  MaxPool: 'direct',
  MaxPoolGradient: maxPoolGradient,
  // Computed wrongly.
  Conv: conv,
  Slice: slice,
  ReduceLogSumExp: 'decompose',
  ConvTranspose: convTranspose,
  // The CPU's forms are made of ops that lack a kernel here.
  ReluGradient: 'decompose',
  ConvInputGradient: 'decompose',
  ConvWeightGradient: 'decompose',
  SparseSoftmaxCrossEntropy: 'decompose',
  SparseSoftmaxCrossEntropyGradient: 'decompose',
};
