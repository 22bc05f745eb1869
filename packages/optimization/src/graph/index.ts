export { type CheckOptions, checkOutputs } from './check-outputs.js';
export { type FoldBatchNormalizationOptions, foldBatchNormalization } from './fold-batch-normalization.js';
export { type GraphPassName, graphPassNames } from './graph-passes.js';
export { type OptimizeGraphOptions, optimizeGraph } from './optimize-graph.js';
export { type TidyOptions, tidy } from './tidy.js';
