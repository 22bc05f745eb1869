import { createBackend } from '@modelwright/backend-onnxruntime';
import {
  type Backend,
  createPredictor,
  createReferenceBackend,
  fromNumbers,
  isModelwrightError,
  type Model,
  type Tensor,
  toNumbers,
} from '@modelwright/core';
import { conv2d, dense, flatten, lstm, sequential } from '@modelwright/models';
import { readOnnx, writeOnnx } from '@modelwright/onnx';
import { createTrainer, sgd } from '@modelwright/training';
import * as ort from 'onnxruntime-node';
import { afterAll, describe, expect, test } from 'vitest';
import { countWeights } from '../report/weight-counts.js';
import { assignToNearest, findCentroids } from './centroids.js';
import { clusterModel, clusterWeights } from './cluster-weights.js';
import { stripClusters } from './strip-clusters.js';

const opened = createBackend();
afterAll(async () => (await opened).dispose());

const images = (): Model =>
  sequential({
    seed: 3,
    inputShape: [6, 6, 2],
    layers: [
      conv2d({ filters: 8, kernelSize: 3, activation: 'relu' }),
      flatten(),
      dense({ units: 5, activation: 'softmax' }),
    ],
  });
const x = fromNumbers(
  'float32',
  [4, 6, 6, 2],
  Array.from({ length: 288 }, (_, at) => Math.sin(at * at)),
);
const y = fromNumbers('int32', [4], [0, 2, 4, 1]);

const weight = (model: Model, name: string): Float64Array => toNumbers(model.getWeights()[name] as Tensor);
const valuesOf = (model: Model, name: string): number => new Set(weight(model, name)).size;

async function outputs(model: Model, backend: Backend): Promise<Float64Array> {
  const predictor = await createPredictor(model, backend);
  const [first] = Object.values(await predictor.predict({ input: x }));
  await predictor.dispose();
  return toNumbers(first as Tensor);
}

async function outputsOfFile(bytes: Uint8Array): Promise<Float64Array> {
  const session = await ort.InferenceSession.create(bytes);
  const [first] = Object.values(
    await session.run({ input: new ort.Tensor('float32', x.data as Float32Array, x.shape) }),
  );
  return Float64Array.from(first?.data as Float32Array);
}

function expectNear(given: Float64Array, wanted: Float64Array): void {
  for (const [at, value] of wanted.entries()) expect(Math.abs((given[at] as number) - value)).toBeLessThan(1e-6);
}

describe('centroids', () => {
  // A dense middle and a few far out, as weights are.
  const numbers = Float64Array.from({ length: 2000 }, (_, at) => Math.tan(Math.sin(at * 1.37) * 1.4));
  const error = (centroids: Float64Array): number =>
    assignToNearest(numbers, centroids).reduce(
      (sum, cluster, at) => sum + ((centroids[cluster] as number) - (numbers[at] as number)) ** 2,
      0,
    );

  test.each(['linear', 'density', 'kmeans++', 'random'] as const)(
    '%s, and better by rounds of k-means',
    (initialization) => {
      const options = { clusters: 16, initialization, seed: 1 };
      const first = findCentroids(numbers, { ...options, iterations: 0 });
      const last = findCentroids(numbers, { ...options, iterations: 30 });
      expect(first.length).toBeLessThanOrEqual(16);
      expect([...last]).toEqual([...last].sort((a, b) => a - b));
      expect(error(last)).toBeLessThan(error(first));
    },
  );

  test('numbers of few values are found exactly', () => {
    const few = Float64Array.from({ length: 300 }, (_, at) => [0.5, -2, 7][at % 3] as number);
    const options = { clusters: 3, initialization: 'kmeans++', seed: 1, iterations: 5 } as const;
    expect([...findCentroids(few, options)]).toEqual([-2, 0.5, 7]);
  });
});

test('training moves shared values and keeps them shared, zeros at zero', async () => {
  const model = images();
  const kernel = model.getWeights()['dense.kernel'] as Tensor;
  const pruned = toNumbers(kernel).map((value, at) => (at % 2 === 0 ? 0 : value));
  model.setWeights({ 'dense.kernel': fromNumbers('float32', kernel.shape, pruned) });
  const { model: clustered, extension } = clusterModel(model, { clusters: 8 });
  const before = weight(clustered, 'dense.kernel');
  expect(valuesOf(clustered, 'dense.kernel')).toBe(8);
  const trainer = await createTrainer(clustered, {
    backend: await opened,
    loss: 'sparseCategoricalCrossentropy',
    extensions: [extension],
  });
  const first = (await trainer.trainOnBatch([x, y]))['loss'] as number;
  for (let step = 0; step < 10; step++) await trainer.trainOnBatch([x, y]);
  expect((await trainer.testOnBatch([x, y]))['loss']).toBeLessThan(first * 0.98);
  await trainer.sync();
  const after = weight(trainer.model, 'dense.kernel');
  expect(valuesOf(trainer.model, 'dense.kernel')).toBe(8);
  expect(valuesOf(trainer.model, 'conv2d.kernel')).toBe(8);
  expect(after.every((value, at) => (value === 0) === (at % 2 === 0))).toBe(true);
  expect(after.some((value, at) => value !== before[at])).toBe(true);
  await trainer.dispose();
});

test.each(['sum', 'mean'] as const)('the gradient of a centroid is the %s of its members', async (gradient) => {
  const backend = createReferenceBackend();
  const recipe = { backend, optimizer: sgd({ learningRate: 0.1 }), loss: 'sparseCategoricalCrossentropy' } as const;
  const { model, extension } = clusterModel(images(), { clusters: 4, gradient, include: ['dense'] });
  const before = weight(model, 'dense.kernel');
  const plain = await createTrainer(clusterModel(images(), { clusters: 4, include: ['dense'] }).model, recipe);
  const shared = await createTrainer(model, { ...recipe, extensions: [extension] });
  for (const trainer of [plain, shared]) {
    await trainer.trainOnBatch([x, y]);
    await trainer.sync();
  }
  const [free, held] = [plain, shared].map((trainer) => weight(trainer.model, 'dense.kernel'));
  for (const value of new Set(before)) {
    const members = [...before.keys()].filter((at) => before[at] === value);
    const total = members.reduce((sum, at) => sum + (free?.[at] as number) - value, 0);
    const moved = (held?.[members[0] as number] as number) - value;
    expect(moved).toBeCloseTo(gradient === 'sum' ? total : total / members.length, 5);
  }
});

test.each([
  { clusters: 16, perChannel: false, dtype: 'uint4' },
  { clusters: 32, perChannel: false, dtype: 'uint8' },
  { clusters: 3, perChannel: true, dtype: 'uint4' },
])('stored as indices: $clusters clusters, per channel $perChannel', async ({ clusters, perChannel, dtype }) => {
  const backend = await opened;
  const float = images();
  const kernel = float.getWeights()['dense.kernel'] as Tensor;
  const pruned = toNumbers(kernel).map((value, at) => (at % 3 === 0 ? 0 : value));
  float.setWeights({ 'dense.kernel': fromNumbers('float32', kernel.shape, pruned) });
  const { model } = clusterModel(float, { clusters, perChannel });
  const small = stripClusters(model);
  const stored = small.parameters.find(({ name }) => name === 'dense.kernel');
  expect([stored?.value.dtype, stored?.trainable]).toEqual([dtype, false]);
  expect(countWeights(small.graph)).toMatchObject(
    (({ weights, nonZeroWeights }) => ({ weights, nonZeroWeights }))(countWeights(model.graph)),
  );
  const wanted = await outputs(model, backend);
  const { bytes } = writeOnnx(small);
  for (const given of [
    await outputs(small, backend),
    await outputsOfFile(bytes),
    await outputs(readOnnx(bytes), backend),
  ]) {
    expectNear(given, wanted);
  }
});

test('recurrent weights are clustered too; weights that are too small stay', () => {
  const model = sequential({ inputShape: [5, 3], layers: [lstm({ units: 6 }), dense({ units: 2 })] });
  const { model: clustered, notes } = clusterModel(model, { clusters: 12 });
  expect(valuesOf(clustered, 'lstm.recurrentKernel')).toBe(12);
  expect(notes.at(-1)).toContain("'dense.kernel' [6,2] stays");
});

test('an imported file is clustered without training code', async () => {
  const imported = readOnnx(writeOnnx(images(), { opset: 17, trainingMetadata: false }).bytes);
  const { model, weights } = clusterModel(imported, { clusters: 32 });
  expect(weights.length).toBe(2);
  expectNear(await outputsOfFile(writeOnnx(stripClusters(model)).bytes), await outputs(model, await opened));
});

test('as a step it hands its extension to later training', async () => {
  const { extensions = [], notes = [] } = await clusterWeights({ clusters: 4 }).apply(images(), {
    backend: await opened,
    extensions: [],
  });
  expect(extensions.map(({ name }) => name)).toEqual(['cluster']);
  expect(notes[0]).toContain('at most 4 values each');
});

test('a number of clusters that is none is refused', () => {
  const attempt = (): unknown => clusterModel(images(), { clusters: 1 });
  expect(attempt).toThrow('integers from 2');
  try {
    attempt();
  } catch (error) {
    expect(isModelwrightError(error, 'invalid-argument')).toBe(true);
  }
});
