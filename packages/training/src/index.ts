export * from './checkpoint/index.js';
export * from './data/index.js';
export * from './history/index.js';
export * from './progress/index.js';
