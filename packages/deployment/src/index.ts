export type { BundleSource, ReadProgress } from './bundle/bundle-source.js';
export {
  filesToRun,
  type LoadBundleOptions,
  type LoadedBundle,
  type LoadProgress,
  loadBundle,
  readModel,
  readTokenizers,
} from './bundle/load-bundle.js';
export { type BundleManifest, type FileRecord, manifestFile, type TensorInfo } from './bundle/manifest.js';
export { type FilesInMemory, memorySource } from './bundle/memory-source.js';
export { parseManifest } from './bundle/parse-manifest.js';
export { type CheckedFile, readChecked, readManifest } from './bundle/read-file.js';
export { sha256 } from './bundle/sha256.js';
export { tensorInfosOf } from './bundle/tensor-infos.js';
export { type UrlSourceOptions, urlSource } from './bundle/url-source.js';
export { type BundleReport, type FileVerdict, verifyBundle } from './bundle/verify-bundle.js';
export { decryptedSource } from './encryption/decrypted-source.js';
export { decryptFile, type EncryptOptions, encryptFile, isEncrypted, rewrapKey } from './encryption/encrypted-file.js';
export {
  type KeyManagementService,
  type KeyProvider,
  kmsKeyProvider,
  localKeyProvider,
  type WrappedKey,
} from './encryption/key-provider.js';
export { decodeTensor, encodeTensor } from './golden/encode-tensor.js';
export type { EncodedTensor, GoldenCase, GoldenReading, GoldenSet, Tolerance } from './golden/golden-set.js';
export { type GoldenOptions, makeGolden } from './golden/make-golden.js';
export { type GoldenReport, type GoldenResult, parseGolden, replayGolden } from './golden/replay-golden.js';
export { replayReadings } from './golden/replay-readings.js';
export type { LabelScore } from './processing/answers.js';
export { checkProcessing } from './processing/check-processing.js';
export { decodeImage } from './processing/decode-image.js';
export type { Image } from './processing/image.js';
export type { ImageLimits } from './processing/image-limits.js';
export {
  type EmbeddingOutput,
  type GenerationOutput,
  type ImageInput,
  type LabelsOutput,
  type Processing,
  processingKey,
  type TextInput,
  tokenizerFilesOf,
} from './processing/processing.js';
export {
  embeddingOutputFor,
  generationOutputFor,
  imageInputFor,
  labelsOutputFor,
  textInputFor,
} from './processing/processing-for.js';
export {
  type ProcessedAnswer,
  type ProcessedModel,
  type Processor,
  processingOf,
  processorOf,
  type RawExample,
} from './processing/processor.js';
export { resizeImage } from './processing/resize-image.js';
export {
  type Serialization,
  type SignedModel,
  type SignedResource,
  signResources,
  verifySignature,
} from './signing/model-signature.js';
export {
  createSigner,
  createVerifier,
  generateSigningKeys,
  type KeyPairPem,
  type Signer,
  type Verifier,
} from './signing/signing-key.js';
