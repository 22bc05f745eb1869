import { batchedScan } from './batched-scan.js';
import type { Conversion, UpConversion } from './rule.js';

const scatterElements: Conversion = (node) => [{ ...node, op: 'ScatterElements' }];

/** Ops under another name, or gone. */
export const renamed: readonly UpConversion[] = [
  { op: 'Scatter', before: 11, convert: scatterElements },
  { op: 'Scan', before: 9, convert: batchedScan },
];
