export { folderSource } from './bundle/folder-source.js';
export { writeBundle } from './bundle/write-bundle.js';
export { type Deployment, type DeployOptions, deploy } from './deploy/deploy.js';
export { createKeyFile, environmentKeyProvider, keyFileProvider } from './encryption/key-file.js';
export {
  readSigner,
  type SignModelOptions,
  signatureFile,
  signModel,
  type VerifyModelOptions,
  verifyModelSignature,
} from './signing/sign-files.js';
export { targetNamed, targets } from './targets/index.js';
export { placed } from './targets/placed.js';
export type { BundleFile, ManifestDraft, Target, TargetBuild, TargetContext } from './targets/target.js';
