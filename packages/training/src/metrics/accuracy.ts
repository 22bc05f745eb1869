import type { Value } from '@modelwright/core';
import { extents } from '../symbolic/arithmetic.js';
import { type Metric, type MetricContext, meanMetric, weightedMean, withoutClass } from './metric.js';

/** Share of elements on the right side of `threshold` (default 0.5); mean over the features, then over examples. */
export function binaryAccuracy({ threshold = 0.5 }: { readonly threshold?: number } = {}): Metric {
  return meanMetric('binaryAccuracy', (context) => binaryMatches(context, threshold));
}

/** Share of examples whose largest output stands where the one-hot target is largest. */
export function categoricalAccuracy(): Metric {
  return meanMetric('categoricalAccuracy', categoricalMatches);
}

/**
 * Share of examples (and positions) whose largest output stands at the integer label.
 *
 * @param options.ignoreClass - Label of positions that count for nothing, as the loss of the same name takes it.
 */
export function sparseCategoricalAccuracy({ ignoreClass }: { readonly ignoreClass?: number } = {}): Metric {
  return {
    ...meanMetric('sparseCategoricalAccuracy', sparseMatches),
    sums(context) {
      const counted = withoutClass(context, ignoreClass);
      return weightedMean(counted, sparseMatches(counted));
    },
  };
}

/** Binary, categorical or sparse accuracy, whichever fits targets and output. */
export function accuracy(): Metric {
  return meanMetric('accuracy', (context) => {
    if (context.targets === 'classes') return sparseMatches(context);
    const features = extents(context.prediction.value.shape).at(-1) ?? 1;
    const binary = features === 1 || context.prediction.value.shape.length < 2;
    return binary || context.prediction.logits?.activation === 'sigmoid'
      ? binaryMatches(context, 0.5)
      : categoricalMatches(context);
  });
}

/** Share of examples whose target is among the `k` largest outputs (default 5); integer or one-hot targets. */
export function topKCategoricalAccuracy({ k = 5 }: { readonly k?: number } = {}): Metric {
  return meanMetric('topKCategoricalAccuracy', (context) => {
    const { arithmetic: a, prediction } = context;
    const scores = prediction.value;
    // Among the top k: fewer than k outputs are larger than that of the target.
    const classes = extents(scores.shape).at(-1) ?? 1;
    const wanted = a.oneHot(labelsOf(context), classes, scores.dtype);
    const own = a.sum(a.multiply(scores, wanted), [-1], true);
    const larger = a.sum(a.cast(a.greater(scores, own), scores.dtype), [-1]);
    return a.cast(a.lessOrEqual(larger, k - 1), scores.dtype);
  });
}

/** Integer labels, whichever way the targets are given. */
export function labelsOf({ arithmetic, targets, target }: MetricContext): Value {
  return targets === 'classes' ? target : arithmetic.argMax(target);
}

function binaryMatches({ arithmetic: a, target, prediction }: MetricContext, threshold: number): Value {
  const { dtype } = prediction.value;
  const predicted = a.cast(a.greater(prediction.value, threshold), dtype);
  const matches = a.cast(a.equal(a.cast(target, dtype), predicted), dtype);
  return matches.shape.length > 1 ? a.mean(matches, [-1]) : matches;
}

function categoricalMatches(context: MetricContext): Value {
  const { arithmetic: a, prediction } = context;
  return a.cast(a.equal(labelsOf(context), a.argMax(prediction.value)), prediction.value.dtype);
}

function sparseMatches({ arithmetic: a, target, prediction }: MetricContext): Value {
  return a.cast(a.equal(target, a.argMax(prediction.value)), prediction.value.dtype);
}
