export type { BundleFile, Target, TargetContext } from './targets/target.js';
