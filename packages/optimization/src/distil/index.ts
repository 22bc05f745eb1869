export { type DistilOptions, distil } from './distil.js';
export * from './distillation.js';
export type { FeatureMatch } from './features.js';
