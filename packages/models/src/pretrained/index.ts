export { bertWeights } from './bert-weights.js';
export { gpt2Weights } from './gpt2-weights.js';
export { bertOptions, gpt2Options, type HuggingFaceConfig } from './hugging-face-options.js';
export {
  type LoadWeightsOptions,
  loadWeights,
  type WeightMap,
  type WeightReport,
  type WeightSource,
} from './load-weights.js';
