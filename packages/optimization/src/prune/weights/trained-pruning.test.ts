import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createBackend } from '@modelwright/backend-onnxruntime';
import {
  type Backend,
  type Model,
  type Tensor,
  type TensorMap,
  type TrainingExtension,
  tensor,
  toNumbers,
  zeros,
} from '@modelwright/core';
import { conv2d, dense, flatten, sequential } from '@modelwright/models';
import { adam, createTrainer, sgd, type Trainer, type TrainerOptions } from '@modelwright/training';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fineTune, optimize } from '../../pipeline/index.js';
import type { OptimizationContext } from '../../step.js';
import { keepZeros } from './keep-zeros.js';
import { magnitudePruning } from './magnitude-pruning.js';
import { movementPruning } from './movement-pruning.js';
import { prunableWeights } from './prunable-weights.js';
import { pruneWeights } from './prune-weights.js';
import { pruneWhileTraining } from './prune-while-training.js';
import { constantSparsity, polynomialSparsity } from './sparsity-schedule.js';
import { stripPruning } from './strip-pruning.js';
import { followsPattern, weightSparsity } from './weight-sparsity.js';

let backend: Backend;
beforeAll(async () => {
  backend = await createBackend();
});
afterAll(() => backend.dispose());

const network = (): Model =>
  sequential({
    inputShape: [6, 6, 1],
    layers: [
      conv2d({ name: 'conv', filters: 8, kernelSize: 3, activation: 'relu' }),
      flatten(),
      dense({ name: 'head', units: 2, activation: 'softmax' }),
    ],
    seed: 1,
  });

// Which half of an image is brighter.
const examples = 64;
const pixel = (at: number): number =>
  (((at * 7919) % 101) / 101) * 0.6 + (at % 36 < 18 === ((at / 36) & 1) > 0 ? 0.4 : 0);
const x = tensor(Float32Array.from({ length: examples * 36 }, (_, at) => pixel(at)) as never, {
  shape: [examples, 6, 6, 1],
});
const y = tensor(Int32Array.from({ length: examples }, (_, at) => at & 1) as never, {
  shape: [examples],
  dtype: 'int32',
});

const trainerOf = (
  model: Model,
  extensions: TrainingExtension[],
  options: Partial<TrainerOptions> = {},
): Promise<Trainer> =>
  createTrainer(model, {
    backend,
    loss: 'sparseCategoricalCrossentropy',
    metrics: ['accuracy'],
    extensions,
    ...options,
  });

const fit = async (trainer: Trainer, epochs: number): Promise<void> => {
  await trainer.fit({ x, y }, { epochs, batchSize: 16, verbose: 0 });
};

const kernels = (model: Model): TensorMap => {
  const { 'conv.kernel': conv, 'head.kernel': head } = model.getWeights();
  return { conv: conv as Tensor, head: head as Tensor };
};

const sparsities = (model: Model): number[] => weightSparsity(model).weights.map(({ sparsity }) => sparsity);

test('magnitude pruning reaches its sparsity and the network learns with it', async () => {
  const pruning = magnitudePruning({ schedule: polynomialSparsity({ final: 0.75, begin: 8, end: 60, frequency: 8 }) });
  const trainer = await trainerOf(network(), [pruning], { optimizer: adam({ learningRate: 0.01 }) });
  await fit(trainer, 2);
  expect(sparsities(trainer.model)).toEqual([0, 0]);
  await fit(trainer, 8);
  const halfway = sparsities(trainer.model);
  for (const each of halfway) expect(each).toBeGreaterThan(0.5);
  for (const each of halfway) expect(each).toBeLessThan(0.75);
  await fit(trainer, 16);
  expect(sparsities(trainer.model)).toEqual([0.75, 0.75]);
  expect((await trainer.evaluate({ x, y }))['accuracy']).toBeGreaterThan(0.9);
  // −0 would be zero, too, but does not compress.
  for (const kernel of Object.values(kernels(trainer.model))) {
    expect([...toNumbers(kernel)].some((each) => Object.is(each, -0))).toBe(false);
  }
  expect(stripPruning(trainer.model).getWeights()).toEqual(trainer.model.getWeights());
  await trainer.dispose();
});

test('schedules by weight, patterns, and what is frozen stays whole', async () => {
  const model = network();
  model.setTrainable('conv', false);
  const schedule = constantSparsity({ target: 0.5, begin: 1, frequency: 2 });
  const frozen = await trainerOf(model, [magnitudePruning({ schedule, pattern: '2x2' })]);
  await fit(frozen, 1);
  expect(sparsities(frozen.model)[0]).toBe(0);
  for (const weight of prunableWeights(frozen.model, { include: ['head'] }))
    expect(followsPattern(weight, '2x2')).toBe(true);
  await frozen.dispose();
  const only = magnitudePruning({
    schedule: (name) => (name === 'head.kernel' ? schedule : undefined),
    pattern: '2:4',
  });
  const trainer = await trainerOf(network(), [only]);
  await fit(trainer, 1);
  expect(sparsities(trainer.model)).toEqual([0, 0.5]);
  await trainer.dispose();
});

test('moving averages are zero where the weights are', async () => {
  const schedule = constantSparsity({ target: 0.5, begin: 3, frequency: 4 });
  const trainer = await trainerOf(network(), [magnitudePruning({ schedule })], { ema: true });
  await fit(trainer, 3);
  expect(sparsities(trainer.model)).toEqual([0.5, 0.5]);
  await trainer.dispose();
});

test('what is zero stays zero in training that comes later', async () => {
  const pruned = pruneWeights(network(), { ratio: 0.7 });
  const before = kernels(pruned);
  const trainer = await trainerOf(pruned, [keepZeros()], { optimizer: adam({ learningRate: 0.01 }) });
  await fit(trainer, 3);
  await trainer.trainOnBatch([x, y]);
  await trainer.sync();
  const after = kernels(trainer.model);
  for (const name of ['conv', 'head']) {
    const [old, now] = [toNumbers(before[name] as Tensor), toNumbers(after[name] as Tensor)];
    expect([...now].map((each) => each === 0)).toEqual([...old].map((each) => each === 0));
    expect([...now]).not.toEqual([...old]);
  }
  await trainer.dispose();
});

test('a weight that begins at zero is not taken for a pruned one', async () => {
  const model = network();
  model.setWeights({ 'head.kernel': zeros('float32', [128, 2]) });
  const trainer = await trainerOf(model, [keepZeros()]);
  await fit(trainer, 1);
  expect(sparsities(trainer.model)[1]).toBeLessThan(0.5);
  await trainer.dispose();
});

test('as a step of a pipeline, whose later steps keep the zeros', async () => {
  const learn = async (model: Model, { extensions }: OptimizationContext): Promise<void> => {
    const trainer = await trainerOf(model, [...extensions], { optimizer: adam({ learningRate: 0.01 }) });
    await fit(trainer, 4);
    await trainer.dispose();
  };
  const schedule = polynomialSparsity({ final: 0.75, end: 12, frequency: 4 });
  const { model, report } = await optimize(network(), {
    backend,
    steps: [pruneWhileTraining(learn, { schedule }), fineTune(learn), pruneWeights({ ratio: 0.9 }), fineTune(learn)],
    measure: false,
  });
  expect(sparsities(model).map((each) => each.toFixed(1))).toEqual(['0.9', '0.9']);
  const shares = report.record.stages.map(({ weights, nonZeroWeights }) => nonZeroWeights / weights);
  expect(shares[1]).toBeLessThan(0.3);
  expect(shares[2]).toBeCloseTo(shares[1] as number, 2);
  expect(shares[4]).toBeLessThan(0.15);
});

describe('movement pruning', () => {
  test('keeps what moves away from zero, and lets come back what would', async () => {
    const schedule = constantSparsity({ target: 0.5, begin: 4, frequency: 4 });
    const trainer = await trainerOf(network(), [movementPruning({ schedule, scope: 'global' })], {
      optimizer: sgd({ learningRate: 0.3 }),
    });
    const masks: boolean[][] = [];
    for (let round = 0; round < 6; round++) {
      await fit(trainer, 2);
      const { conv, head } = kernels(trainer.model);
      masks.push([conv, head].flatMap((kernel) => [...toNumbers(kernel as Tensor)].map((each) => each !== 0)));
    }
    const [first, last] = [masks[1] as boolean[], masks[5] as boolean[]];
    expect(weightSparsity(trainer.model).sparsity).toBeCloseTo(0.5, 2);
    expect(last.some((kept, at) => kept && !first[at])).toBe(true);
    expect((await trainer.evaluate({ x, y }))['accuracy']).toBeGreaterThan(0.9);
    await trainer.dispose();
  });

  test('before anything has moved, magnitudes decide', async () => {
    const schedule = constantSparsity({ target: 0.5 });
    const [model, same] = [network(), pruneWeights(network(), { ratio: 0.5 })];
    const trainer = await trainerOf(model, [movementPruning({ schedule })], { optimizer: sgd({ learningRate: 1e-3 }) });
    await fit(trainer, 1);
    const zeros = (each: Model): boolean[] =>
      [...toNumbers(kernels(each)['head'] as Tensor)].map((value) => value === 0);
    expect(zeros(trainer.model)).toEqual(zeros(same));
    await trainer.dispose();
  });
});

describe('resuming from a checkpoint', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pruning-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));
  const schedule = polynomialSparsity({ final: 0.8, begin: 2, end: 20, frequency: 3 });

  test.each([
    ['magnitude', magnitudePruning],
    ['movement', movementPruning],
  ])('%s pruning goes on exactly', async (name, pruning) => {
    const through = await trainerOf(network(), [pruning({ schedule })]);
    await fit(through, 2);
    await through.saveCheckpoint(join(folder, name));
    const wanted: TensorMap[] = [];
    for (let step = 0; step < 16; step++) await through.trainOnBatch([x, y]);
    wanted.push((await through.sync()).getWeights());
    await through.dispose();
    const resumed = await trainerOf(network(), [pruning({ schedule })]);
    await resumed.loadCheckpoint(join(folder, name));
    for (let step = 0; step < 16; step++) await resumed.trainOnBatch([x, y]);
    expect((await resumed.sync()).getWeights()).toEqual(wanted[0]);
    expect(sparsities(resumed.model).map((each) => each.toFixed(1))).toEqual(['0.8', '0.8']);
    await resumed.dispose();
  });
});
