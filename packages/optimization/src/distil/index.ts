export * from './distillation.js';
export type { FeatureMatch } from './features.js';
