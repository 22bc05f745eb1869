import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createReferenceBackend, type TensorMap, tensor, toNumbers } from '@modelwright/core';
import { dense, dropout, sequential } from '@modelwright/models';
import { describe, expect, test } from 'vitest';
import type { Callback } from '../callbacks/callback.js';
import { createRandom, fromArrays, fromGenerator } from '../data/index.js';
import { sgd } from '../optimizers/sgd.js';
import { linearModel } from '../program/linear-model.cases.js';
import { createTrainer, type TrainerOptions } from './create-trainer.js';
import type { Trainer } from './trainer.js';

const backend = createReferenceBackend();
const random = createRandom(11);
const uniform = (): number => random.nextUint32() / 2 ** 31 - 1;
const examples = 23;
const x = Array.from({ length: examples }, () => [uniform(), uniform(), uniform()]);
const labels = x.map(([a, b, c]) => ((a as number) > (b as number) ? 0 : (c as number) > 0 ? 1 : 2));
const data = fromArrays({ x, y: { data: Int32Array.from(labels), shape: [examples] } });
const kernel = [
  [0.1, -0.2, 0.3],
  [0.2, 0.1, -0.1],
  [-0.3, 0.2, 0.1],
];

async function classifier(options: Partial<TrainerOptions> = {}): Promise<Trainer> {
  const model = linearModel({ kernel, activation: 'softmax', dtype: 'float32' });
  return createTrainer(model, {
    backend,
    optimizer: sgd({ learningRate: 0.5 }),
    loss: 'sparseCategoricalCrossentropy',
    metrics: ['accuracy'],
    seed: 5,
    ...options,
  });
}

describe('fit', () => {
  test('learns, and records loss, metrics and learning rate of each epoch', async () => {
    const trainer = await classifier();
    const history = await trainer.fit(data, { epochs: 15, batchSize: 5, validationData: data, verbose: 0 });
    expect(Object.keys(history.values)).toEqual(['loss', 'accuracy', 'val_loss', 'val_accuracy', 'learningRate']);
    expect(history.epochs).toHaveLength(15);
    const losses = history.values['loss'] as number[];
    expect(losses.at(-1)).toBeLessThan((losses[0] as number) * 0.7);
    expect(history.values['val_accuracy']?.at(-1)).toBeGreaterThan(0.8);
    // The model has the weights as trained.
    const fresh = await createTrainer(trainer.model, { backend, loss: 'sparseCategoricalCrossentropy' });
    expect((await fresh.evaluate(data))['loss']).toBeCloseTo(history.values['val_loss']?.at(-1) as number, 5);
    expect(trainer.step).toBe(15 * 5);
  });

  test('numbers of an epoch are exact although the last batch is short', async () => {
    const still = await classifier({ optimizer: sgd({ learningRate: 0 }) });
    const { values } = await still.fit(data, { batchSize: 10, verbose: 0 });
    const whole = await still.evaluate(data, { batchSize: examples });
    expect(values['loss']?.[0]).toBeCloseTo(whole['loss'] as number, 6);
    expect(values['accuracy']?.[0]).toBeCloseTo(whole['accuracy'] as number, 12);
  });

  test('a short last batch updates with its real examples alone', async () => {
    const [fitted, stepped] = [await classifier(), await classifier()];
    await fitted.fit(data, { batchSize: 20, shuffle: false, verbose: 0 });
    const part = (from: number, to: number) =>
      [x.slice(from, to), { data: Int32Array.from(labels.slice(from, to)), shape: [to - from] }] as const;
    await stepped.trainOnBatch(part(0, 20));
    await stepped.trainOnBatch(part(20, 23));
    await stepped.sync();
    expect(fitted.model.getWeights()).toEqual(stepped.model.getWeights());
  });

  test('the same seed gives the same weights, another seed others', async () => {
    const train = async (seed: number): Promise<TensorMap> => {
      const layers = [
        dense({ units: 8, activation: 'relu' }),
        dropout({ rate: 0.5 }),
        dense({ units: 3, activation: 'softmax' }),
      ];
      const model = sequential({ inputShape: [3], layers, seed: 1 });
      const trainer = await createTrainer(model, { backend, loss: 'sparseCategoricalCrossentropy', seed });
      await trainer.fit(data, { epochs: 2, batchSize: 8, verbose: 0 });
      return model.getWeights();
    };
    const [first, again, other] = [await train(1), await train(1), await train(2)];
    expect(again).toEqual(first);
    expect(other).not.toEqual(first);
  });

  test('data streams: a generator trains like arrays', async () => {
    const [streamed, held] = [await classifier(), await classifier()];
    const stream = fromGenerator(function* () {
      for (const [index, row] of x.entries())
        yield { x: row, y: { data: Int32Array.of(labels[index] as number), shape: [] } };
    });
    await streamed.fit(stream, { epochs: 2, batchSize: 6, shuffle: false, verbose: 0 });
    await held.fit(data, { epochs: 2, batchSize: 6, shuffle: false, verbose: 0 });
    expect(streamed.model.getWeights()).toEqual(held.model.getWeights());
  });

  test('class weights count like sample weights', async () => {
    const [byClass, bySample] = [await classifier(), await classifier()];
    const options = { epochs: 2, batchSize: 6, shuffle: false, verbose: 0 } as const;
    await byClass.fit(data, { ...options, classWeight: { 0: 2, 2: 0.5 } });
    const sampleWeight = labels.map((label) => ({ 0: 2, 1: 1, 2: 0.5 })[label] as number);
    await bySample.fit({ x, y: { data: Int32Array.from(labels), shape: [examples] }, sampleWeight }, options);
    expect(byClass.model.getWeights()).toEqual(bySample.model.getWeights());
  });

  test('a validation split is held out from the end', async () => {
    const trainer = await classifier();
    const { values } = await trainer.fit(data, { epochs: 1, batchSize: 4, validationSplit: 0.25, verbose: 0 });
    expect(values['val_loss']).toHaveLength(1);
    expect(trainer.step).toBe(Math.ceil(Math.round(examples * 0.75) / 4));
  });

  test('endless data is cut by stepsPerEpoch', async () => {
    const trainer = await classifier();
    await trainer.fit(data.repeat(), { epochs: 2, batchSize: 4, stepsPerEpoch: 7, shuffle: false, verbose: 0 });
    expect(trainer.step).toBe(14);
  });

  test('schedules stretch over the whole run, in updates', async () => {
    const rates: number[] = [];
    const watch: Callback = { name: 'watch', onBatchBegin: (_, run) => void rates.push(run.learningRate) };
    const schedule = {
      name: 'line',
      at: ({ step, totalSteps }: { step: number; totalSteps: number | undefined }) => 1 - step / (totalSteps ?? 0),
    };
    const trainer = await classifier({ optimizer: sgd({ learningRate: schedule }) });
    await trainer.fit(data, { epochs: 2, batchSize: 6, callbacks: [watch], verbose: 0 });
    expect(rates).toEqual([0, 1, 2, 3, 4, 5, 6, 7].map((step) => 1 - step / 8));
  });

  test('weights set on the model are taken over', async () => {
    const trainer = await classifier();
    const before = trainer.model.getWeights();
    await trainer.fit(data, { epochs: 3, batchSize: 8, verbose: 0 });
    const trained = await trainer.evaluate(data);
    trainer.model.setWeights(before);
    const reset = await trainer.evaluate(data);
    expect(reset['loss']).toBeGreaterThan(trained['loss'] as number);
    expect(reset).toEqual(await (await classifier()).evaluate(data));
  });

  test('layers may be frozen and unfrozen between calls: what is trained goes on, what is frozen stays', async () => {
    const trainer = await classifier({ optimizer: sgd({ learningRate: 0.1, momentum: 0.9 }) });
    const { model } = trainer;
    const step = { batchSize: 8, verbose: 0 } as const;
    model.setTrainable('dense.kernel', false);
    const start = model.getWeights();
    await trainer.fit(data, step);
    const first = model.getWeights();
    expect(first['dense.kernel']).toEqual(start['dense.kernel']);
    expect(first['dense.bias']).not.toEqual(start['dense.bias']);
    model.setTrainable('dense.kernel', true);
    await trainer.fit(data, step);
    const second = model.getWeights();
    expect(second['dense.kernel']).not.toEqual(first['dense.kernel']);
    model.setTrainable('dense.bias', false);
    await trainer.fit(data, step);
    expect(model.getWeights()['dense.bias']).toEqual(second['dense.bias']);
    expect(trainer.step).toBe(9);
    // A frozen weight that is set is used.
    const before = await trainer.evaluate(data);
    model.setWeights({ 'dense.bias': tensor([5, -5, 0]) });
    expect((await trainer.evaluate(data))['loss']).not.toBeCloseTo(before['loss'] as number, 2);
  });

  test('weights set after a checkpoint was loaded win over its own', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'modelwright-'));
    try {
      const first = await classifier();
      const before = first.model.getWeights();
      await first.fit(data, { batchSize: 8, verbose: 0 });
      await first.saveCheckpoint(join(folder, 'run'));
      const second = await classifier({ optimizer: sgd({ learningRate: 0 }) });
      await second.loadCheckpoint(join(folder, 'run'));
      expect(second.model.getWeights()).toEqual(first.model.getWeights());
      expect(second.step).toBe(first.step);
      second.model.setWeights(before);
      await second.fit(data, { batchSize: 8, verbose: 0 });
      expect(second.model.getWeights()).toEqual(before);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test('training stops between two batches when it is aborted', async () => {
    const trainer = await classifier();
    const controller = new AbortController();
    const abort: Callback = { name: 'abort', onBatchEnd: (batch) => (batch === 2 ? controller.abort() : undefined) };
    const run = trainer.fit(data, { batchSize: 4, callbacks: [abort], signal: controller.signal, verbose: 0 });
    await expect(run).rejects.toMatchObject({ code: 'aborted' });
    expect(trainer.step).toBe(3);
  });
});

describe('predict', () => {
  test('gives all outputs in order, before and after training', async () => {
    const trainer = await classifier();
    const check = async (): Promise<void> => {
      const { y } = await trainer.predict(x, { batchSize: 7 });
      expect(y?.shape).toEqual([examples, 3]);
      const single = await trainer.predict([x[22] as number[]]);
      expect([...toNumbers(y!)].slice(-3)).toEqual([...toNumbers(single['y']!)]);
    };
    await check();
    await trainer.fit(data, { batchSize: 8, verbose: 0 });
    await check();
  });
});

describe('the progress display', () => {
  test('prints a line an epoch where there is no terminal', async () => {
    const trainer = await classifier();
    let text = '';
    const stream = { write: (part: string) => (text += part) };
    await trainer.fit(data, { epochs: 2, batchSize: 8, progress: { stream } });
    expect(text.split('\n')).toHaveLength(3);
    expect(text).toMatch(/^Epoch 1\/2 · 3 steps · .*loss .* · accuracy .*\nEpoch 2\/2/);
  });
});

test('losses by name take data in any number type', async () => {
  const trainer = await classifier();
  const numbers = await trainer.evaluate([x, labels]);
  const wide = await trainer.evaluate([x, tensor(labels, { dtype: 'int64' })]);
  const column = await trainer.evaluate([x, labels.map((label) => [label])]);
  expect(wide).toEqual(numbers);
  expect(column).toEqual(numbers);
});
