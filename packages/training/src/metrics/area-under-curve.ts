import { extents } from '../symbolic/arithmetic.js';
import { type Metric, quotient, weightsLike } from './metric.js';

/**
 * Area under the ROC curve of yes/no outputs, by thresholds as Keras computes it: counts at `numThresholds` evenly spaced
 * thresholds and the trapezoid rule between them. The error against the exact area falls with the number of thresholds.
 *
 * @param options.numThresholds - Default 200.
 */
export function areaUnderCurve({ numThresholds = 200 }: { readonly numThresholds?: number } = {}): Metric {
  const inner = Array.from({ length: numThresholds - 2 }, (_, index) => (index + 1) / (numThresholds - 1));
  const thresholds = [-1e-7, ...inner, 1 + 1e-7];
  return {
    name: 'auc',
    sums(context) {
      const { arithmetic: a, target, targets, prediction } = context;
      const scores = prediction.value;
      const { dtype } = scores;
      const count = extents(scores.shape).reduce((product, extent) => product * extent, 1);
      const classes = extents(scores.shape).at(-1) ?? 1;
      const truths = targets === 'classes' ? a.oneHot(target, classes, dtype) : a.cast(target, dtype);
      const given = weightsLike(context, scores);
      const positive = given === undefined ? truths : a.multiply(truths, given);
      const negative = a.subtract(given ?? 1, positive);
      const limits = a.builder.constant(
        thresholds.map((threshold) => [threshold]),
        { dtype },
      );
      const answers = a.cast(a.greater(a.reshape(scores, [1, count]), limits), dtype);
      const counted = (values: typeof truths): typeof truths =>
        a.reshape(a.builder.op('MatMul', [answers, a.reshape(values, [count, 1])]), [numThresholds]);
      return { tp: counted(positive), fp: counted(negative), positive: a.sum(positive), negative: a.sum(negative) };
    },
    result({ tp = new Float64Array(), fp = tp, positive, negative }) {
      const [allPositive, allNegative] = [positive?.[0] ?? 0, negative?.[0] ?? 0];
      let area = 0;
      for (let i = 0; i + 1 < tp.length; i++) {
        const width = quotient((fp[i] as number) - (fp[i + 1] as number), allNegative);
        const height = quotient(((tp[i] as number) + (tp[i + 1] as number)) / 2, allPositive);
        area += width * height;
      }
      return area;
    },
  };
}
