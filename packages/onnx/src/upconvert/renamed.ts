import type { Conversion, UpConversion } from './rule.js';

const scatterElements: Conversion = (node) => [{ ...node, op: 'ScatterElements' }];

// Scan of opset 8 had a batch axis of its own and sequence lengths.
const batchedScan: Conversion = (_, context) => context.fail('the batched Scan of opset 8 ended with opset 9');

/** Ops under another name, or gone. */
export const renamed: readonly UpConversion[] = [
  { op: 'Scatter', before: 11, convert: scatterElements },
  { op: 'Scan', before: 9, convert: batchedScan },
];
