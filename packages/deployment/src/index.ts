export type { BundleSource } from './bundle/bundle-source.js';
export { type BundleManifest, type FileRecord, manifestFile, type TensorInfo } from './bundle/manifest.js';
export type { EncodedTensor, GoldenCase, GoldenSet } from './golden/golden-set.js';
export {
  type EmbeddingOutput,
  type GenerationOutput,
  type ImageInput,
  type LabelsOutput,
  type Processing,
  processingKey,
  type TextInput,
} from './processing/processing.js';
