import type { NoAttributes, OpFamily } from './definition.js';
import { pending } from './pending.js';

/** Attributes of the comparison and logic ops, by op. */
export interface ComparisonAttributes {
  Equal: NoAttributes;
  Greater: NoAttributes;
  GreaterOrEqual: NoAttributes;
  Less: NoAttributes;
  LessOrEqual: NoAttributes;
  And: NoAttributes;
  Or: NoAttributes;
  Xor: NoAttributes;
  Not: NoAttributes;
  Where: NoAttributes;
  IsNaN: NoAttributes;
  BitwiseAnd: NoAttributes;
  BitwiseOr: NoAttributes;
  BitwiseXor: NoAttributes;
  BitwiseNot: NoAttributes;
  IsInf: { detect_negative: number; detect_positive: number };
  BitShift: { direction: 'LEFT' | 'RIGHT' };
}

/** Comparison and logic ops. */
export const comparison: OpFamily<ComparisonAttributes> = pending<ComparisonAttributes>();
