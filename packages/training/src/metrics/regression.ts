import { type Loss, meanOfFeatures } from '../losses/loss.js';
import { type Metric, meanMetric, quotient, sumOf, weightsLike } from './metric.js';

/** A loss seen as a metric: its weighted mean over the examples. */
export function lossMetric(loss: Loss, name: string = loss.name): Metric {
  return meanMetric(name, ({ arithmetic, target, prediction }) => loss.build({ arithmetic, target, prediction }));
}

/** `√ mean((p − t)²)` over everything seen. */
export function rootMeanSquaredError(): Metric {
  const squared = meanMetric('rootMeanSquaredError', ({ arithmetic: a, target, prediction }) =>
    meanOfFeatures(a, a.square(a.subtract(prediction.value, target))),
  );
  return { ...squared, result: (sums) => Math.sqrt(quotient(sumOf(sums, 'total'), sumOf(sums, 'count'))) };
}

/**
 * `1 − Σ(t − p)² / Σ(t − mean t)²`: the share of the targets' variance that predictions explain; over outputs, the mean
 * of each one's share.
 */
export function r2Score(): Metric {
  return {
    name: 'r2Score',
    sums(context) {
      const { arithmetic: a, target, prediction } = context;
      const shape = target.shape.length > 1 ? target.shape : [...target.shape, 1];
      const features = shape.at(-1) as number;
      const count = (shape as readonly number[]).reduce((product, extent) => product * extent, 1) / features;
      const rows = (value: typeof target): typeof target => a.reshape(value, [count, features]);
      const weights = weightsLike(context, target);
      const every = weights === undefined ? undefined : rows(a.expand(weights, target.shape as readonly number[]));
      const [t, p] = [rows(target), rows(prediction.value)];
      const total = (value: typeof target): typeof target =>
        a.sum(every === undefined ? value : a.multiply(value, every), [0]);
      return {
        count: every === undefined ? count : a.divide(a.sum(every), features),
        targets: total(t),
        squares: total(a.square(t)),
        errors: total(a.square(a.subtract(t, p))),
      };
    },
    result({ count, targets = new Float64Array(), squares = targets, errors = targets }) {
      let sum = 0;
      for (let feature = 0; feature < targets.length; feature++) {
        const mean = quotient(targets[feature] as number, count?.[0] ?? 0);
        const spread = (squares[feature] as number) - mean * (targets[feature] as number);
        sum += 1 - (errors[feature] as number) / spread;
      }
      return sum / targets.length;
    },
  };
}
