import { createReferenceBackend, tensor } from '@modelwright/core';
import { describe, expect, test } from 'vitest';
import { echoModel } from '../program/linear-model.cases.js';
import { createTrainer } from '../trainer/create-trainer.js';
import { sparseCategoricalAccuracy } from './accuracy.js';
import type { Metric } from './metric.js';
import { perplexity } from './perplexity.js';

const predictions = [
  [0.7, 0.2, 0.1],
  [0.1, 0.1, 0.8],
  [0.3, 0.4, 0.3],
  [0.25, 0.5, 0.25],
];
const labels = [0, 1, -1, 1];

async function measure(metric: Metric, targets: readonly number[] | readonly (readonly number[])[]): Promise<number> {
  const trainer = await createTrainer(echoModel(3), { backend: createReferenceBackend(), metrics: [metric] });
  const dtype = typeof targets[0] === 'number' ? 'int32' : 'float64';
  const sample = { inputs: tensor(predictions, { dtype: 'float64' }), targets: tensor(targets as never, { dtype }) };
  const logs = await trainer.evaluate(sample, { batchSize: 3 });
  return logs[metric.name] as number;
}

describe('perplexity', () => {
  test('is the inverse geometric mean of what the labels got, over batches of any size', async () => {
    const expected = (0.7 * 0.1 * 0.3 * 0.5) ** (-1 / 4);
    expect(await measure(perplexity(), [0, 1, 0, 1])).toBeCloseTo(expected, 6);
    const oneHot = [0, 1, 0, 1].map((label) => [0, 1, 2].map((each) => Number(each === label)));
    expect(await measure(perplexity(), oneHot)).toBeCloseTo(expected, 6);
  });

  test('leaves out the ignored class', async () => {
    const expected = (0.7 * 0.1 * 0.5) ** (-1 / 3);
    expect(await measure(perplexity({ ignoreClass: -1 }), labels)).toBeCloseTo(expected, 6);
  });

  test('of a uniform guess is the number of classes', async () => {
    const trainer = await createTrainer(echoModel(3), {
      backend: createReferenceBackend(),
      metrics: [perplexity({ fromLogits: true })],
    });
    const x = tensor([[1, 1, 1]], { dtype: 'float64' });
    const logs = await trainer.evaluate([x, tensor([2], { dtype: 'int32' })]);
    expect(logs['perplexity']).toBeCloseTo(3, 9);
  });
});

test('sparse accuracy leaves out the ignored class', async () => {
  expect(await measure(sparseCategoricalAccuracy({ ignoreClass: -1 }), labels)).toBeCloseTo(2 / 3, 9);
});
