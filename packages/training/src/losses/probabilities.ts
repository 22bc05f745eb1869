import type { Value } from '@modelwright/core';
import type { Arithmetic } from '../symbolic/arithmetic.js';
import { fuzz, type LossContext, type Prediction } from './loss.js';

/** The scores before the softmax or sigmoid, where they are known. */
export function logitsOf(
  prediction: Prediction,
  activation: 'softmax' | 'sigmoid',
  fromLogits: boolean,
): Value | undefined {
  if (fromLogits) return prediction.value;
  return prediction.logits?.activation === activation ? prediction.logits.value : undefined;
}

/** Probabilities held off 0 and 1. */
export function bounded(a: Arithmetic, probabilities: Value): Value {
  return a.clip(probabilities, fuzz, 1 - fuzz);
}

/** Probabilities that add up to 1 over the classes. */
export function normalized(a: Arithmetic, probabilities: Value): Value {
  return bounded(a, a.divide(probabilities, a.sum(probabilities, [-1], true)));
}

/** Logarithms of the class probabilities, from what stands before the softmax where there is one. */
export function scoreLogarithms({ arithmetic: a, prediction }: LossContext, fromLogits: boolean): Value {
  const logits = logitsOf(prediction, 'softmax', fromLogits);
  return logits === undefined ? a.logarithm(normalized(a, prediction.value)) : a.logSoftmax(logits);
}
