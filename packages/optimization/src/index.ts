export * from './distil/index.js';
export { type FoldBatchNormalizationOptions, foldBatchNormalization } from './graph/fold-batch-normalization.js';
export * from './pipeline/index.js';
export * from './quantize/index.js';
export * from './report/index.js';
export * from './step.js';
export * from './weight-only/index.js';
export * from './weighted-nodes.js';
export * from './with-graph.js';
