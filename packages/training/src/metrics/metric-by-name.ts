import { ModelwrightError, type Value } from '@modelwright/core';
import { isLossName, lossNames, toLoss } from '../losses/loss-by-name.js';
import {
  accuracy,
  binaryAccuracy,
  categoricalAccuracy,
  sparseCategoricalAccuracy,
  topKCategoricalAccuracy,
} from './accuracy.js';
import { areaUnderCurve } from './area-under-curve.js';
import { confusionMatrix, f1Score, precision, recall } from './classification-counts.js';
import { type Metric, type MetricContext, meanMetric } from './metric.js';
import { perplexity } from './perplexity.js';
import { lossMetric, r2Score, rootMeanSquaredError } from './regression.js';

const metrics = {
  accuracy,
  acc: accuracy,
  binaryAccuracy,
  categoricalAccuracy,
  sparseCategoricalAccuracy,
  topKCategoricalAccuracy,
  precision,
  recall,
  f1Score,
  f1: f1Score,
  auc: areaUnderCurve,
  confusionMatrix,
  perplexity,
  rootMeanSquaredError,
  rmse: rootMeanSquaredError,
  r2Score,
  r2: r2Score,
} as const;

/** A metric by name (those of losses included), as an object, or as a function giving one number an example. */
export type MetricLike = string | Metric | ((context: MetricContext) => Value);

/** All names of metrics; every loss is one, too. */
export const metricNames: readonly string[] = [...Object.keys(metrics), ...lossNames];

/**
 * The metric a user meant. Logs carry the name it was asked for by.
 *
 * @throws {@link ModelwrightError} `invalid-argument` listing the names for an unknown one.
 */
export function toMetric(like: MetricLike): Metric {
  if (typeof like === 'object') return like;
  if (typeof like === 'function') return meanMetric(like.name || 'customMetric', like);
  if (Object.hasOwn(metrics, like)) return { ...metrics[like as keyof typeof metrics](), name: like };
  if (isLossName(like)) return lossMetric(toLoss(like), like);
  throw new ModelwrightError('invalid-argument', `there is no metric '${like}'; there are: ${metricNames.join(', ')}`, {
    given: like,
    allowed: metricNames,
  });
}
