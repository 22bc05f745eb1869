export * from './distil/index.js';
export * from './pipeline/index.js';
export * from './report/index.js';
export * from './step.js';
export * from './weighted-nodes.js';
export * from './with-graph.js';
export * from './weight-only/index.js';
