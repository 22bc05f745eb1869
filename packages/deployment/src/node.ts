export { folderSource } from './bundle/folder-source.js';
export { writeBundle } from './bundle/write-bundle.js';
export { type Deployment, type DeployOptions, deploy } from './deploy/deploy.js';
export { targetNamed, targets } from './targets/index.js';
export { placed } from './targets/placed.js';
export type { BundleFile, ManifestDraft, Target, TargetBuild, TargetContext } from './targets/target.js';
