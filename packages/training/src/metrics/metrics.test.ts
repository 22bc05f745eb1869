import { createReferenceBackend, Tensor, tensor } from '@modelwright/core';
import { describe, expect, test } from 'vitest';
import { createRandom } from '../data/index.js';
import { echoModel } from '../program/linear-model.cases.js';
import { createTrainer } from '../trainer/create-trainer.js';
import type { DetailedEvaluation } from '../trainer/trainer.js';
import { areaUnderCurve } from './area-under-curve.js';
import { f1Score, precision, recall } from './classification-counts.js';
import { type MetricLike, metricNames, toMetric } from './metric-by-name.js';

const random = createRandom(3);
const uniform = (): number => random.nextUint32() / 2 ** 32;
const examples = 23;
const classes = 4;
const scores = Array.from({ length: examples }, () => Array.from({ length: classes }, () => uniform() * 4 - 2));
const labels = Array.from({ length: examples }, () => random.nextBelow(classes));
const weights = Array.from({ length: examples }, () => 0.5 + uniform());
const probabilities = scores.map((row) => {
  const total = row.reduce((sum, score) => sum + Math.exp(score), 0);
  return row.map((score) => Math.exp(score) / total);
});
const oneHot = labels.map((label) => Array.from({ length: classes }, (_, index) => (index === label ? 1 : 0)));
const chosen = scores.map((row) => row.indexOf(Math.max(...row)));

type Given = { readonly predictions: number[][]; readonly targets: unknown; readonly dtype?: 'int32' | 'float64' };

/** Evaluates a metric on given predictions. */
async function measure(
  metric: MetricLike,
  given: Given,
  sampleWeights?: readonly number[],
): Promise<DetailedEvaluation> {
  const trainer = await createTrainer(echoModel(given.predictions[0]?.length ?? 1), {
    backend: createReferenceBackend(),
    metrics: sampleWeights === undefined ? [metric] : [],
    weightedMetrics: sampleWeights === undefined ? [] : [metric],
  });
  const inputs = tensor(given.predictions, { dtype: 'float64' });
  const targets = tensor(given.targets as never, { dtype: given.dtype ?? 'float64' });
  const sample =
    sampleWeights === undefined ? { inputs, targets } : { inputs, targets, sampleWeights: tensor(sampleWeights) };
  // A batch size that leaves a short last batch.
  return trainer.evaluateDetailed(sample, { batchSize: 10 });
}

function scoreOf({ logs }: DetailedEvaluation): number {
  return logs[Object.keys(logs)[0] as string] as number;
}

function share(matches: readonly boolean[], by: readonly number[] = matches.map(() => 1)): number {
  const total = by.reduce((sum, weight) => sum + weight, 0);
  return matches.reduce((sum, match, index) => sum + (match ? (by[index] as number) : 0), 0) / total;
}

describe('accuracy', () => {
  const matches = chosen.map((choice, index) => choice === labels[index]);
  const dense = { predictions: probabilities, targets: oneHot };
  const sparse = { predictions: probabilities, targets: labels, dtype: 'int32' as const };

  test.each([
    ['accuracy', dense],
    ['accuracy', sparse],
    ['categoricalAccuracy', dense],
    ['sparseCategoricalAccuracy', sparse],
  ] as const)('%s counts right choices over batches of any size', async (name, given) => {
    expect(scoreOf(await measure(name, given))).toBeCloseTo(share(matches), 12);
    expect(scoreOf(await measure(name, given, weights))).toBeCloseTo(share(matches, weights), 6);
  });

  test('of yes/no outputs looks at 0.5', async () => {
    const predictions = probabilities.map((row) => [row[0] as number]);
    const targets = labels.map((label) => [label === 0 ? 1 : 0]);
    const right = predictions.map(([p], index) => (p as number) > 0.5 === (targets[index]?.[0] === 1));
    for (const name of ['accuracy', 'binaryAccuracy']) {
      expect(scoreOf(await measure(name, { predictions, targets }))).toBeCloseTo(share(right), 12);
    }
  });

  test('top k accepts the label among the k best', async () => {
    const { topKCategoricalAccuracy } = await import('./accuracy.js');
    for (const k of [1, 2, 3]) {
      const found = probabilities.map((row, index) => {
        const best = [...row.keys()].sort((a, b) => (row[b] as number) - (row[a] as number)).slice(0, k);
        return best.includes(labels[index] as number);
      });
      expect(scoreOf(await measure(topKCategoricalAccuracy({ k }), sparse))).toBeCloseTo(share(found), 12);
      expect(scoreOf(await measure(topKCategoricalAccuracy({ k }), dense))).toBeCloseTo(share(found), 12);
    }
  });
});

describe('precision, recall and F1', () => {
  const predictions = probabilities;
  const given = { predictions, targets: labels, dtype: 'int32' as const };
  function countsOf(classId: number, answers: readonly (readonly boolean[])[]): { tp: number; fp: number; fn: number } {
    const counts = { tp: 0, fp: 0, fn: 0 };
    answers.forEach((row, index) => {
      const actual = labels[index] === classId;
      if (row[classId] && actual) counts.tp++;
      else if (row[classId]) counts.fp++;
      else if (actual) counts.fn++;
    });
    return counts;
  }
  const above = predictions.map((row) => row.map((p) => p > 0.3));
  const best = chosen.map((choice) => Array.from({ length: classes }, (_, index) => index === choice));

  test('micro averages pool the decisions', async () => {
    const pooled = [0, 1, 2, 3].map((classId) => countsOf(classId, above));
    const total = (key: 'tp' | 'fp' | 'fn'): number => pooled.reduce((sum, counts) => sum + counts[key], 0);
    const [tp, fp, fn] = [total('tp'), total('fp'), total('fn')];
    expect(scoreOf(await measure(precision({ threshold: 0.3 }), given))).toBeCloseTo(tp / (tp + fp), 12);
    expect(scoreOf(await measure(recall({ threshold: 0.3 }), given))).toBeCloseTo(tp / (tp + fn), 12);
    expect(scoreOf(await measure(f1Score({ threshold: 0.3, average: 'micro' }), given))).toBeCloseTo(
      (2 * tp) / (2 * tp + fp + fn),
      12,
    );
  });

  test('F1 of classes is the mean over classes of the best choice', async () => {
    const each = [0, 1, 2, 3]
      .map((classId) => countsOf(classId, best))
      .map(({ tp, fp, fn }) => (2 * tp) / (2 * tp + fp + fn || 1));
    expect(scoreOf(await measure('f1', given))).toBeCloseTo(each.reduce((sum, f1) => sum + f1, 0) / classes, 12);
  });

  test('one class can be looked at alone', async () => {
    const { tp, fp } = countsOf(2, best);
    expect(scoreOf(await measure(precision({ threshold: null, classId: 2 }), given))).toBeCloseTo(
      tp / (tp + fp || 1),
      12,
    );
  });
});

test('the confusion matrix counts pairs of truth and choice', async () => {
  const { tensors } = await measure('confusionMatrix', { predictions: probabilities, targets: labels, dtype: 'int32' });
  const expected = Array.from({ length: classes * classes }, () => 0);
  labels.forEach((label, index) => {
    expected[label * classes + (chosen[index] as number)]!++;
  });
  expect(tensors['confusionMatrix']).toEqual(new Tensor('float64', [classes, classes], Float64Array.from(expected)));
});

test('AUC comes near the share of pairs in the right order', async () => {
  const predictions = probabilities.map((row) => [row[1] as number]);
  const targets = labels.map((label) => [label === 1 ? 1 : 0]);
  let [right, pairs] = [0, 0];
  predictions.forEach(([p], i) => {
    predictions.forEach(([q], j) => {
      if (targets[i]?.[0] !== 1 || targets[j]?.[0] !== 0) return;
      pairs++;
      if ((p as number) > (q as number)) right++;
    });
  });
  expect(scoreOf(await measure('auc', { predictions, targets }))).toBeCloseTo(right / pairs, 1);
  const fine = areaUnderCurve({ numThresholds: 20_000 });
  expect(scoreOf(await measure(fine, { predictions, targets }))).toBeCloseTo(right / pairs, 3);
});

test('errors of regression are exact over short batches', async () => {
  const predictions = scores.map((row) => row.slice(0, 2));
  const targets = scores.map((row, index) => row.slice(2).map((value) => value + index / 10));
  const errors = predictions.flatMap((row, i) => row.map((p, j) => p - (targets[i]?.[j] as number)));
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const given = { predictions, targets };
  expect(scoreOf(await measure('mse', given))).toBeCloseTo(mean(errors.map((e) => e * e)), 12);
  expect(scoreOf(await measure('mae', given))).toBeCloseTo(mean(errors.map(Math.abs)), 12);
  expect(scoreOf(await measure('rmse', given))).toBeCloseTo(Math.sqrt(mean(errors.map((e) => e * e))), 12);
  const explained = [0, 1].map((feature) => {
    const t = targets.map((row) => row[feature] as number);
    const residual = predictions.map((row, i) => ((row[feature] as number) - (t[i] as number)) ** 2);
    return 1 - mean(residual) / mean(t.map((value) => (value - mean(t)) ** 2));
  });
  expect(scoreOf(await measure('r2', given))).toBeCloseTo(mean(explained), 10);
});

test('a function of symbolic values is a metric', async () => {
  const bias: MetricLike = function bias({ arithmetic: a, target, prediction }) {
    return a.mean(a.subtract(prediction.value, target), [-1]);
  };
  const predictions = scores.map((row) => row.slice(0, 1));
  const { logs } = await measure(bias, { predictions, targets: predictions.map(() => [1]) });
  const expected = predictions.reduce((sum, [p]) => sum + (p as number) - 1, 0) / examples;
  expect(logs['bias']).toBeCloseTo(expected, 12);
});

test('an unknown name lists those that exist', () => {
  expect(() => toMetric('accurracy')).toThrow(/no metric 'accurracy'; there are: accuracy, /);
  expect(metricNames).toContain('auc');
});

test('weights count in weighted metrics alone', async () => {
  const trainer = await createTrainer(echoModel(classes), {
    backend: createReferenceBackend(),
    metrics: ['sparseCategoricalAccuracy'],
    weightedMetrics: ['sparseCategoricalAccuracy', 'topKCategoricalAccuracy'],
  });
  const matches = chosen.map((choice, index) => choice === labels[index]);
  const inputs = tensor(probabilities, { dtype: 'float64' });
  const targets = tensor(labels, { dtype: 'int32' });
  const logs = await trainer.evaluate({ inputs, targets, sampleWeights: tensor(weights) });
  expect(Object.keys(logs)).toEqual([
    'sparseCategoricalAccuracy',
    'weighted_sparseCategoricalAccuracy',
    'topKCategoricalAccuracy',
  ]);
  expect(logs['sparseCategoricalAccuracy']).toBeCloseTo(share(matches), 12);
  expect(logs['weighted_sparseCategoricalAccuracy']).toBeCloseTo(share(matches, weights), 6);
});
