export * from './distil/index.js';
export * from './step.js';
export * from './weighted-nodes.js';
export * from './with-graph.js';
