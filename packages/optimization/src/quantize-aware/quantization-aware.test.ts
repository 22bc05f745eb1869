import { createBackend } from '@modelwright/backend-onnxruntime';
import { createReferenceBackend, type Model, ModelwrightError, type Tensor, toNumbers } from '@modelwright/core';
import { dense, sequential } from '@modelwright/models';
import { readOnnx, writeOnnx } from '@modelwright/onnx';
import { adam, createTrainer, sgd, type Trainer } from '@modelwright/training';
import { afterAll, expect, test } from 'vitest';
import { keepZeros, pruneWeights } from '../prune/weights/index.js';
import { weightedNodes } from '../weighted-nodes.js';
import { type QuantizationAwareOptions, quantizationAware } from './index.js';
import { images, smallNetwork, tinyNetwork } from './small-networks.cases.js';

const backend = await createBackend({ threads: 1 } as never);
afterAll(() => backend.dispose());

const loss = 'sparseCategoricalCrossentropy';
const batch = images(24);

async function trained(model: Model, steps: number, optimizer = adam({ learningRate: 0.01 })): Promise<number[]> {
  const trainer = await createTrainer(model, { backend, optimizer, loss });
  const losses = await train(trainer, steps);
  await trainer.sync();
  await trainer.dispose();
  return losses;
}

async function train(trainer: Trainer, steps: number): Promise<number[]> {
  const losses: number[] = [];
  for (let step = 0; step < steps; step++) losses.push((await trainer.trainOnBatch(batch as never)).loss as number);
  return losses;
}

const numbers = (model: Model, name: string): number[] => [...toNumbers(model.getWeights()[name] as Tensor)];

function farthest(a: readonly number[], b: readonly number[]): number {
  return a.reduce((most, each, index) => Math.max(most, Math.abs(each - (b[index] as number))), 0);
}

function copyOf(model: Model): Model {
  return readOnnx(writeOnnx(model).bytes);
}

test('before rounding begins, folded normalization trains as it does by itself', async () => {
  const model = smallNetwork();
  const aware = quantizationAware(model, { delay: 5 });
  const plain = await trained(model, 5, sgd({ learningRate: 0.1, momentum: 0.5 }));
  const folded = await trained(aware, 5, sgd({ learningRate: 0.1, momentum: 0.5 }));
  expect(farthest(folded, plain)).toBeLessThan(1e-4);
  for (const { name } of model.parameters) {
    expect(farthest(numbers(aware, name), numbers(model, name)), name).toBeLessThan(1e-3);
  }
});

test('once statistics and ranges are frozen, training computes what the model infers', async () => {
  const aware = quantizationAware(tinyNetwork(), { freezeStatisticsAfter: 3, freezeRangesAfter: 3 });
  const trainer = await createTrainer(aware, { backend, optimizer: sgd({ learningRate: 0.02 }), loss });
  await train(trainer, 3);
  const statistics = aware.parameters.filter(({ role, name }) => role === 'statistic' && !name.endsWith('.steps'));
  await trainer.sync();
  const before = statistics.map(({ name }) => numbers(aware, name));
  for (let step = 0; step < 3; step++) {
    const { loss: inferred } = await trainer.testOnBatch(batch as never);
    const [seen] = await train(trainer, 1);
    expect(seen).toBeCloseTo(inferred as number, 5);
  }
  await trainer.sync();
  expect(statistics.map(({ name }) => numbers(aware, name))).toEqual(before);
  expect(numbers(aware, 'quantization.steps')).toEqual([6]);
  await trainer.dispose();
});

test('ranges begin with the first batch and move with those that follow', async () => {
  const aware = quantizationAware(tinyNetwork(), { momentum: 0.5 });
  const trainer = await createTrainer(aware, { backend, optimizer: sgd({ learningRate: 0 }), loss });
  const highest = (seed: number): number => Math.max(...toNumbers(images(24, seed)[0]));
  const high = aware.parameters.find(({ name }) => /(image|Transpose).*\.high/.test(name))?.name as string;
  let expected = highest(1);
  for (const seed of [1, 2, 3]) {
    await trainer.trainOnBatch(images(24, seed) as never);
    await trainer.sync();
    if (seed > 1) expected = (expected + highest(seed)) / 2;
    expect(numbers(aware, high)[0]).toBeCloseTo(expected, 5);
  }
  await trainer.dispose();
});

test('trains in spite of rounding, by observed and by learned ranges', async () => {
  const final = async (options: QuantizationAwareOptions): Promise<number> =>
    (await trained(quantizationAware(tinyNetwork(), options), 60)).at(-1) as number;
  expect(await final({})).toBeLessThan(0.5);
  expect(await final({ ranges: 'learned', weightBits: 4, activationBits: 5, freezeRangesAfter: 5 })).toBeLessThan(0.7);
});

test('learned ranges follow gradients, by the same numbers on every backend', async () => {
  const options = { ranges: 'learned', weightBits: 4, activationBits: 4, freezeRangesAfter: 2 } as const;
  const aware = quantizationAware(tinyNetwork(), options);
  const same = copyOf(aware);
  const losses = await trained(aware, 5);
  const trainer = await createTrainer(same, {
    backend: createReferenceBackend(),
    optimizer: adam({ learningRate: 0.01 }),
    loss,
  });
  expect(farthest(await train(trainer, 3), losses)).toBeLessThan(2e-3);
  const gains = aware.parameters.filter(({ name }) => name.endsWith('.gain'));
  expect(gains.length).toBe(4);
  const first = quantizationAware(tinyNetwork(), options);
  for (const { name } of gains)
    expect(farthest(numbers(aware, name), numbers(first, name)), name).toBeGreaterThan(0.001);
});

test('goes on from a file as if it had not been written', async () => {
  const aware = quantizationAware(tinyNetwork());
  await trained(aware, 2);
  const again = copyOf(aware);
  expect(again.parameters.map(({ name, role }) => [name, role])).toEqual(
    aware.parameters.map(({ name, role }) => [name, role]),
  );
  expect(farthest(await trained(again, 3), await trained(aware, 3))).toBeLessThan(1e-4);
});

test('zeros of pruned weights stay zeros, and rounding hides no weight from other techniques', async () => {
  const pruned = (await pruneWeights({ ratio: 0.5 }).apply(tinyNetwork(), { backend, extensions: [] })).model;
  const aware = quantizationAware(pruned);
  const names = (model: Model): string[] => weightedNodes(model.graph).map(({ value }) => value.name);
  expect(names(aware)).toEqual(names(pruned));
  const trainer = await createTrainer(aware, { backend, loss, extensions: [keepZeros()] });
  await train(trainer, 3);
  await trainer.sync();
  await trainer.dispose();
  const zeros = (model: Model): number => numbers(model, 'predictions.kernel').filter((each) => each === 0).length;
  expect(zeros(pruned)).toBeGreaterThan(10);
  expect(zeros(aware)).toBe(zeros(pruned));
});

test('refuses what makes no sense', () => {
  const model = sequential({ inputShape: [2], layers: [dense({ units: 2 })] });
  const code = (options: QuantizationAwareOptions, given: Model = model): unknown => {
    try {
      return quantizationAware(given, options).name;
    } catch (error) {
      return error instanceof ModelwrightError ? error.code : error;
    }
  };
  expect(code({ weightBits: 3 })).toBe('invalid-argument');
  expect(code({ momentum: 1 })).toBe('invalid-argument');
  expect(code({ reduceRange: true, weightBits: 4 })).toBe('invalid-argument');
  expect(code({ exclude: ['missing'] })).toBe('invalid-argument');
  expect(code({ exclude: ['dense'] })).toBe('invalid-model');
  expect(code({}, quantizationAware(model))).toBe('invalid-model');
});
