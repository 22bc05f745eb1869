import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createReferenceBackend, tensor, toNumbers } from '@modelwright/core';
import { expect, test } from 'vitest';
import { adam } from '../optimizers/adam.js';
import { sgd } from '../optimizers/sgd.js';
import { linearModel } from '../program/linear-model.cases.js';
import { createTrainer } from '../trainer/create-trainer.js';
import type { Trainer } from '../trainer/trainer.js';
import { type Callback, callback } from './callback.js';
import { earlyStopping } from './early-stopping.js';
import { learningRateScheduler, reduceLearningRateOnPlateau } from './learning-rate.js';
import { csvLogger, jsonlLogger } from './loggers.js';
import { modelCheckpoint } from './model-checkpoint.js';
import { terminateOnNaN } from './terminate-on-nan.js';

const backend = createReferenceBackend();
const data = {
  x: [
    [1, 2],
    [2, 1],
    [0, 1],
    [1, 0],
  ],
  y: [[1], [2], [0], [1]],
};

async function trainer(learningRate = 0.1): Promise<Trainer> {
  const model = linearModel({ kernel: [[0.3], [-0.2]], dtype: 'float32' });
  return createTrainer(model, { backend, optimizer: sgd({ learningRate }), loss: 'mse' });
}

async function epochsUntilStop(callbacks: readonly Callback[], learningRate: number, epochs = 12): Promise<number> {
  const history = await (await trainer(learningRate)).fit(data, { epochs, batchSize: 4, callbacks, verbose: 0 });
  return history.epochs.length;
}

test('hooks come in order, with the logs of their moment', async () => {
  const seen: string[] = [];
  const watch = callback({
    onTrainBegin: () => void seen.push('train'),
    onEpochBegin: (epoch) => void seen.push(`epoch ${epoch}`),
    onBatchBegin: (batch) => void seen.push(`batch ${batch}`),
    onBatchEnd: (batch, logs, run) => void seen.push(`end ${batch} step ${run.step} ${Object.keys(logs)}`),
    onEpochEnd: (epoch, logs) => void seen.push(`end of epoch ${epoch} ${Object.keys(logs)}`),
    onTrainEnd: () => void seen.push('end'),
  });
  await (await trainer()).fit(data, { batchSize: 2, validationData: data, callbacks: [watch], verbose: 0 });
  expect(seen).toEqual([
    'train',
    'epoch 0',
    'batch 0',
    'end 0 step 1 loss',
    'batch 1',
    'end 1 step 2 loss',
    'end of epoch 0 loss,val_loss,learningRate',
    'end',
  ]);
});

test('hooks for every second batch are called there alone, with the state of that batch', async () => {
  const seen: string[] = [];
  const watch = callback({
    batchFrequency: 2,
    onBatchBegin: (batch) => void seen.push(`batch ${batch}`),
    onBatchEnd: (batch, _, run) => void seen.push(`end ${batch} step ${run.step}`),
  });
  await (await trainer()).fit(data, { batchSize: 1, epochs: 2, callbacks: [watch], verbose: 0 });
  expect(seen).toEqual([
    ...['batch 1', 'end 1 step 2', 'batch 3', 'end 3 step 4'],
    ...['batch 1', 'end 1 step 6', 'batch 3', 'end 3 step 8'],
  ]);
});

test('early stopping waits, stops and goes back to the best weights', async () => {
  // With this learning rate the loss grows from the first epoch on.
  expect(await epochsUntilStop([earlyStopping({ monitor: 'loss', patience: 3 })], 1.2)).toBe(4);
  expect(await epochsUntilStop([earlyStopping({ monitor: 'loss', patience: 3 })], 0.05)).toBe(12);
  const best = await trainer(1.2);
  const weights: number[][] = [];
  const record = callback({
    onEpochEnd: async (_, __, run) => void weights.push([...toNumbers((await run.readWeights())['dense.kernel']!)]),
  });
  const stopping = earlyStopping({ monitor: 'loss', patience: 2, restoreBestWeights: true });
  await best.fit(data, { epochs: 9, batchSize: 4, callbacks: [record, stopping], verbose: 0 });
  expect(weights).toHaveLength(3);
  expect([...toNumbers(best.model.getWeights()['dense.kernel']!)]).toEqual(weights[0]);
});

test('a monitored number that is not logged is named, with those that are', async () => {
  const run = (await trainer()).fit(data, { callbacks: [earlyStopping()], verbose: 0 });
  await expect(run).rejects.toThrow(
    /earlyStopping watches 'val_loss', which is not logged; logged are: loss, learningRate/,
  );
});

test('a scheduler sets the rate at the beginning of each epoch', async () => {
  const fitted = await trainer(0.1);
  const halve = learningRateScheduler((epoch, rate) => (epoch === 0 ? rate : rate / 2));
  const { values } = await fitted.fit(data, { epochs: 3, callbacks: [halve], verbose: 0 });
  expect(values['learningRate']).toEqual([0.1, 0.05, 0.025]);
});

test('the rate falls on a plateau, rests, and stays above its least', async () => {
  const fitted = await trainer(1.2);
  const reduce = reduceLearningRateOnPlateau({
    monitor: 'loss',
    factor: 0.5,
    patience: 2,
    cooldown: 1,
    minLearningRate: 0.5,
  });
  const freeze = callback({
    onEpochBegin: async (_, run) => run.writeWeights({ 'dense.kernel': tensor([[1], [1]]), 'dense.bias': tensor([0]) }),
  });
  const { values } = await fitted.fit(data, { epochs: 8, batchSize: 4, callbacks: [freeze, reduce], verbose: 0 });
  const rates = values['learningRate'] as number[];
  expect(rates).toEqual([1.2, 1.2, 1.2, 0.6, 0.6, 0.5, 0.5, 0.5]);
});

test('a loss that is not finite is an error that names the step, unless a callback takes it', async () => {
  const huge = { epochs: 400, batchSize: 4, verbose: 0 } as const;
  await expect((await trainer(50)).fit(data, huge)).rejects.toMatchObject({
    code: 'not-finite',
    message: expect.stringMatching(/the loss became (Infinity|NaN) in epoch \d+, batch 1 \(learning rate 50\)/),
  });
  const history = await (await trainer(50)).fit(data, { ...huge, callbacks: [terminateOnNaN()] });
  expect(history.epochs.length).toBeLessThan(400);
  const through = await (await trainer(50)).fit(data, { ...huge, epochs: 60, notFinite: 'ignore' });
  expect(through.epochs).toHaveLength(60);
});

test('logs and checkpoints lie where they were asked for', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'modelwright-'));
  try {
    const fitted = await createTrainer(linearModel({ kernel: [[0.3], [-0.2]], dtype: 'float32' }), {
      backend,
      optimizer: adam(),
      loss: 'mse',
    });
    const callbacks = [
      csvLogger(join(folder, 'log.csv')),
      jsonlLogger(join(folder, 'log.jsonl')),
      modelCheckpoint({ path: join(folder, 'last') }),
      modelCheckpoint({ path: join(folder, 'best-{epoch}'), monitor: 'loss', saveBestOnly: true }),
    ];
    await fitted.fit(data, { epochs: 2, batchSize: 4, callbacks, verbose: 0 });
    expect((await readFile(join(folder, 'log.csv'), 'utf8')).split('\n')[0]).toBe('epoch,loss,learningRate');
    const lines = (await readFile(join(folder, 'log.jsonl'), 'utf8')).trim().split('\n');
    expect(lines.map((line) => JSON.parse(line)['epoch'])).toEqual([0, 1]);
    expect((await readdir(folder)).sort()).toEqual([
      'best-1.1.safetensors',
      'best-1.json',
      'best-2.2.safetensors',
      'best-2.json',
      'last.2.safetensors',
      'last.json',
      'log.csv',
      'log.jsonl',
    ]);
  } finally {
    await rm(folder, { recursive: true });
  }
});
