import { Tensor, type Value } from '@modelwright/core';
import { extents } from '../symbolic/arithmetic.js';
import { labelsOf } from './accuracy.js';
import { type Metric, type MetricContext, type MetricSums, quotient, weightsLike } from './metric.js';

/** How numbers by class become one: over all decisions, as the mean over classes, or weighted by how often a class occurs. */
export type Averaging = 'micro' | 'macro' | 'weighted';

export interface CountOptions {
  /**
   * An output above it is a yes. `null`: the largest output of an example is its one yes. Default 0.5 (f1: `null` for
   * several classes), as in Keras.
   */
  readonly threshold?: number | null;
  readonly average?: Averaging;
  /** Look at this class alone. */
  readonly classId?: number;
}

/** `tp / (tp + fp)`: how many of the yes answers are right. Averaging defaults to micro. */
export function precision(options: CountOptions = {}): Metric {
  return countMetric('precision', options, ({ tp, fp }) => quotient(tp, tp + fp));
}

/** `tp / (tp + fn)`: how many of what should be found is found. Averaging defaults to micro. */
export function recall(options: CountOptions = {}): Metric {
  return countMetric('recall', options, ({ tp, fn }) => quotient(tp, tp + fn));
}

/**
 * `2·tp / (2·tp + fp + fn)`, the harmonic mean of precision and recall. With several classes an example's answer is its
 * largest output and scores are averaged over classes (macro), unless the options say otherwise.
 */
export function f1Score(options: CountOptions = {}): Metric {
  const defaults: CountOptions = { average: 'macro', ...options };
  return countMetric('f1Score', defaults, ({ tp, fp, fn }) => quotient(2 * tp, 2 * tp + fp + fn), null);
}

/** Counts of (true class, predicted class) pairs, `[classes, classes]`; rows are truths. */
export function confusionMatrix(): Metric {
  return {
    name: 'confusionMatrix',
    sums(context) {
      const { arithmetic: a, prediction } = context;
      const scores = prediction.value;
      const binary = scores.shape.at(-1) === 1;
      const classes = binary ? 2 : (extents(scores.shape).at(-1) ?? 1);
      const [predicted, actual] = binary
        ? [a.cast(a.greater(scores, 0.5), 'int64'), a.cast(context.target, 'int64')]
        : [a.argMax(scores), labelsOf(context)];
      const count = extents(predicted.shape).reduce((product, extent) => product * extent, 1);
      const weights = weightsLike(context, binary ? scores : predictedWeightsShape(context, predicted));
      const rows = a.oneHot(a.reshape(actual, [count]), classes, scores.dtype);
      const columns = a.oneHot(a.reshape(predicted, [count]), classes, scores.dtype);
      const weighted =
        weights === undefined
          ? columns
          : a.multiply(columns, a.reshape(a.expand(weights, extents(predicted.shape)), [count, 1]));
      return { counts: a.builder.op('MatMul', [a.builder.op('Transpose', [rows], { perm: [1, 0] }), weighted]) };
    },
    result({ counts = new Float64Array() }) {
      const classes = Math.round(Math.sqrt(counts.length));
      return new Tensor('float64', [classes, classes], Float64Array.from(counts));
    },
  };
}

// Sample weights take the dtype of the scores and the rank of the labels.
function predictedWeightsShape({ prediction }: MetricContext, predicted: Value): Value {
  return { name: predicted.name, dtype: prediction.value.dtype, shape: predicted.shape };
}

interface Counts {
  readonly tp: number;
  readonly fp: number;
  readonly fn: number;
}

function countMetric(
  name: string,
  options: CountOptions,
  score: (counts: Counts) => number,
  severalClasses: number | null = 0.5,
): Metric {
  return {
    name,
    sums: (context) => countSums(context, options, severalClasses),
    result: (sums) => averageScore(sums, score, options),
  };
}

function countSums(
  context: MetricContext,
  { threshold }: CountOptions,
  severalClasses: number | null,
): { readonly [name: string]: Value } {
  const { arithmetic: a, prediction, target, targets } = context;
  const scores = prediction.value;
  const features = scores.shape.length > 1 ? (extents(scores.shape).at(-1) ?? 1) : 1;
  const actual = targets === 'classes' ? a.oneHot(target, features, scores.dtype) : a.cast(target, scores.dtype);
  const limit = threshold === undefined ? (features > 1 ? severalClasses : 0.5) : threshold;
  const answers =
    limit === null
      ? a.oneHot(a.argMax(scores), features, scores.dtype)
      : a.cast(a.greater(scores, limit), scores.dtype);
  const weights = weightsLike(context, scores);
  const axes = scores.shape.length > 1 ? scores.shape.slice(0, -1).map((_, axis) => axis) : undefined;
  const total = (values: Value): Value =>
    a.reshape(a.sum(weights === undefined ? values : a.multiply(values, weights), axes), [features]);
  return { tp: total(a.multiply(answers, actual)), answered: total(answers), actual: total(actual) };
}

function averageScore(
  { tp = new Float64Array(), answered = tp, actual = tp }: MetricSums,
  score: (counts: Counts) => number,
  { average = 'micro', classId }: CountOptions,
): number {
  const classes = Array.from(tp, (right, index): Counts & { readonly support: number } => ({
    tp: right,
    fp: (answered[index] as number) - right,
    fn: (actual[index] as number) - right,
    support: actual[index] as number,
  }));
  if (classId !== undefined) return score(classes[classId] ?? { tp: 0, fp: 0, fn: 0 });
  const add = (of: (counts: Counts & { readonly support: number }) => number): number =>
    classes.reduce((sum, counts) => sum + of(counts), 0);
  if (average === 'micro')
    return score({ tp: add(({ tp: n }) => n), fp: add(({ fp }) => fp), fn: add(({ fn }) => fn) });
  if (average === 'macro') return quotient(add(score), classes.length);
  return quotient(
    add((counts) => score(counts) * counts.support),
    add(({ support }) => support),
  );
}
