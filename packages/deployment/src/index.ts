export type { BundleSource } from './bundle/bundle-source.js';
export { type BundleManifest, type FileRecord, manifestFile, type TensorInfo } from './bundle/manifest.js';
export { decryptFile, type EncryptOptions, encryptFile, isEncrypted, rewrapKey } from './encryption/encrypted-file.js';
export {
  type KeyManagementService,
  type KeyProvider,
  kmsKeyProvider,
  localKeyProvider,
  type WrappedKey,
} from './encryption/key-provider.js';
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
