import type { OpCase } from './case.js';
import { elementwiseCases } from './elementwise.js';

export * from './case.js';
export * from './case-data.js';
export * from './case-graph.js';
export * from './compare-tensors.js';
export * from './gradient-check.js';

/** Every case of every family. */
export const opCases: readonly OpCase[] = [...elementwiseCases];
