export type { ScaleChoice } from './blocks.js';
export type { GptqOptions } from './gptq.js';
export {
  type QuantizedWeightFacts,
  type QuantizeWeightsOptions,
  quantizeWeightOnly,
  quantizeWeights,
  type WeightOnlyOptions,
  type WeightOnlyResult,
  weightOnlyQuantized,
} from './quantize-weights.js';
export type { WeightTarget } from './replace-weights.js';
