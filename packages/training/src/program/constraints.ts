import type { Constraint, Value } from '@modelwright/core';
import { fuzz } from '../losses/loss.js';
import type { Arithmetic } from '../symbolic/arithmetic.js';

/** The weight brought back to what its constraint allows. */
export function constrain(a: Arithmetic, weight: Value, constraint: Constraint): Value {
  switch (constraint.kind) {
    case 'nonNeg':
      return a.maximum(weight, 0);
    case 'unitNorm':
      return a.divide(weight, a.add(normOf(a, weight, constraint.axes), fuzz));
    case 'maxNorm': {
      const norm = normOf(a, weight, constraint.axes);
      return a.multiply(weight, a.divide(a.minimum(norm, constraint.maxValue), a.add(norm, fuzz)));
    }
    case 'minMaxNorm': {
      const { minValue, maxValue, rate } = constraint;
      const norm = normOf(a, weight, constraint.axes);
      const bounded = a.minimum(a.maximum(norm, minValue), maxValue);
      const wanted = a.add(a.multiply(bounded, rate), a.multiply(norm, 1 - rate));
      return a.multiply(weight, a.divide(wanted, a.add(norm, fuzz)));
    }
  }
}

function normOf(a: Arithmetic, weight: Value, axes: readonly number[]): Value {
  return a.squareRoot(a.sum(a.square(weight), axes, true));
}
