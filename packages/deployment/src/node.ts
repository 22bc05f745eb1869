export { createKeyFile, environmentKeyProvider, keyFileProvider } from './encryption/key-file.js';
export {
  readSigner,
  type SignModelOptions,
  signatureFile,
  signModel,
  type VerifyModelOptions,
  verifyModelSignature,
} from './signing/sign-files.js';
export type { BundleFile, Target, TargetContext } from './targets/target.js';
