import type { Value } from '@modelwright/core';
import type { Arithmetic } from '../symbolic/arithmetic.js';

interface MovingAverage {
  readonly average: Value;
  readonly next: Value;
  readonly decay: number;
}

/** `decay · average + (1 − decay) · next` */
export function movingAverage(arithmetic: Arithmetic, { average, next, decay }: MovingAverage): Value {
  return arithmetic.add(arithmetic.multiply(average, decay), arithmetic.multiply(next, 1 - decay));
}
