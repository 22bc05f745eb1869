import { createBackend } from '@modelwright/backend-onnxruntime';
import { createBackend as createWasmBackend } from '@modelwright/backend-wasm';
import { type Backend, type Model, ModelwrightError, type Tensor, tensor, toNumbers, verify } from '@modelwright/core';
import { batchNormalization, conv2d, dense, flatten, lstm, sequential } from '@modelwright/models';
import { readOnnx, writeOnnx } from '@modelwright/onnx';
import { adam, createTrainer } from '@modelwright/training';
import { InferenceSession, Tensor as RuntimeTensor } from 'onnxruntime-node';
import { afterAll, describe, expect, test } from 'vitest';
import { clusterModel } from '../cluster/index.js';
import { pruneWeights } from '../prune/weights/index.js';
import { exportQuantized, type QuantizationAwareOptions, quantizationAware, quantizeWhileTraining } from './index.js';
import { classCount, images, noise, smallNetwork, tinyNetwork } from './small-networks.cases.js';

const backend = await createBackend();
afterAll(() => backend.dispose());

type Batch = readonly [Tensor, Tensor];

/** Trains a model that was made ready, and gives what it then infers for the batch. */
async function inferredAfter(
  model: Model,
  batch: Batch,
  { steps = 10, on = backend as Backend } = {},
): Promise<Float64Array> {
  const trainer = await createTrainer(model, {
    backend: on,
    optimizer: adam({ learningRate: 0.02 }),
    loss: 'sparseCategoricalCrossentropy',
  });
  for (let step = 0; step < steps; step++) await trainer.trainOnBatch(batch as never);
  await trainer.sync();
  const [output] = Object.values(await trainer.predict(batch[0]));
  await trainer.dispose();
  return toNumbers(output as Tensor);
}

/** What ONNX Runtime makes of the file, without any code of ours. */
async function runtimeResult(model: Model, x: Tensor): Promise<Float32Array> {
  const session = await InferenceSession.create(writeOnnx(model).bytes, { intraOpNumThreads: 1 });
  const feeds = {
    [session.inputNames[0] as string]: new RuntimeTensor('float32', x.data as Float32Array, [...x.shape]),
  };
  const results = await session.run(feeds);
  await session.release();
  return results[session.outputNames[0] as string]?.data as Float32Array;
}

function farthest(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Array.from(a).reduce((most, each, index) => Math.max(most, Math.abs(each - (b[index] as number))), 0);
}

function classesOf(probabilities: ArrayLike<number>): number[] {
  const rows = Array.from({ length: probabilities.length / classCount }, (_, row) =>
    Array.from(probabilities).slice(row * classCount, (row + 1) * classCount),
  );
  return rows.map((row) => row.indexOf(Math.max(...row)));
}

const batch = images(24);
// A number half way between two steps may fall to either; that moves results by far less than what tells classes apart.
const tolerance = 0.02;
// Sums of 8-bit int8 weights would saturate on a CPU without VNNI.
const variants: readonly [string, QuantizationAwareOptions][] = [
  ['observed ranges, weights of 7 bits', { reduceRange: true }],
  ['learned ranges of 4 and 5 bits', { ranges: 'learned', freezeRangesAfter: 3, weightBits: 4, activationBits: 5 }],
];

describe('what the model infers after training is what the integers compute', () => {
  test.each(variants)('%s', async (_, options) => {
    const aware = quantizationAware(smallNetwork({ dropoutRate: 0.1 }), options);
    const inferred = await inferredAfter(aware, batch);
    const int8 = exportQuantized(aware);
    const computed = await runtimeResult(int8, batch[0]);
    expect(farthest(inferred, computed)).toBeLessThan(tolerance);
    expect(classesOf(computed)).toEqual(classesOf(inferred));
    const kernels = int8.parameters.filter(({ name }) => name.endsWith('ernel'));
    expect(kernels.map(({ name, value }) => `${name} ${value.dtype}`)).toEqual([
      `stem.kernel int8`,
      `depthwiseConv2d.depthwiseKernel int8`,
      `project.kernel int8`,
      `side.kernel int8`,
      `last.kernel int8`,
      `predictions.kernel int8`,
    ]);
    expect(int8.graph.nodes.filter(({ domain }) => domain !== '')).toEqual([]);
    expect(int8.graph.nodes.filter(({ op }) => op === 'BatchNormalization')).toEqual([]);
  });
});

test('trained on wasm, with one scale for all channels, stored with uint8 weights', async () => {
  const aware = quantizationAware(tinyNetwork(), { perChannel: false, freezeStatisticsAfter: 4 });
  const wasm = await createWasmBackend();
  const inferred = await inferredAfter(aware, batch, { steps: 6, on: wasm });
  await wasm.dispose();
  const int8 = exportQuantized(aware, { weights: 'uint8' });
  expect(int8.parameters.find(({ name }) => name === 'conv.kernel')?.value.dtype).toBe('uint8');
  expect(farthest(inferred, await runtimeResult(int8, batch[0]))).toBeLessThan(tolerance);
});

test('a model that was imported from a bare ONNX file', async () => {
  const { bytes } = writeOnnx(tinyNetwork(), { trainingMetadata: false, opset: 17 });
  const aware = quantizationAware(readOnnx(bytes), { reduceRange: true });
  const inferred = await inferredAfter(aware, batch, { steps: 4 });
  const int8 = exportQuantized(aware);
  expect(farthest(inferred, await runtimeResult(int8, batch[0]))).toBeLessThan(tolerance);
  expect(int8.parameters.filter(({ value }) => value.dtype === 'int8').length).toBe(2);
});

test('of recurrent layers the weights alone', async () => {
  const layers = [lstm({ units: 5, name: 'reader' }), dense({ units: classCount, activation: 'softmax' })];
  const aware = quantizationAware(sequential({ inputShape: [4, 3], layers }), { exclude: ['dense'] });
  const sequences: Batch = [tensor(noise(24 * 12, 3), { shape: [24, 4, 3] }), batch[1]];
  const inferred = await inferredAfter(aware, sequences, { steps: 3 });
  const int8 = exportQuantized(aware);
  const dtypes = int8.parameters.map(({ name, value }) => `${name} ${value.dtype}`);
  expect(dtypes.filter((each) => each.endsWith('int8')).length).toBe(2);
  expect(farthest(inferred, await runtimeResult(int8, sequences[0]))).toBeLessThan(1e-5);
});

test('normalization behind an activation is part of the integers, too', async () => {
  const layers = [
    conv2d({ filters: 4, kernelSize: 3, activation: 'relu', padding: 'same' }),
    batchNormalization({ name: 'padded' }),
    conv2d({ filters: 4, kernelSize: 3, activation: 'relu', padding: 'same' }),
    batchNormalization({ name: 'last' }),
    flatten(),
    dense({ units: classCount, activation: 'softmax' }),
  ];
  const model = sequential({ inputShape: batch[0].shape.slice(1), layers });
  const statistics = ['padded', 'last'].flatMap((name) => [
    [`${name}.movingMean`, tensor([0.1, 0.2, 0.3, 0.4])] as const,
    [`${name}.movingVariance`, tensor([1, 0.5, 2, 0.1])] as const,
  ]);
  model.setWeights(Object.fromEntries(statistics));
  const aware = quantizationAware(model, { reduceRange: true });
  const inferred = await inferredAfter(aware, batch, { steps: 4 });
  const int8 = exportQuantized(aware);
  expect(farthest(inferred, await runtimeResult(int8, batch[0]))).toBeLessThan(tolerance);
  expect(int8.graph.nodes.filter(({ op }) => op === 'BatchNormalization')).toEqual([]);
});

test('what a model remembers is still remembered', () => {
  const layers = [lstm({ units: 3, stateful: true, name: 'memory' })];
  const remembering = sequential({ batchSize: 2, inputShape: [4, 3], layers });
  const aware = quantizationAware(remembering);
  const int8 = exportQuantized(aware);
  const names = ({ states }: Model): string[] => states.map(({ name }) => name);
  expect(names(remembering).length).toBe(2);
  expect(names(aware)).toEqual(names(remembering));
  expect(names(int8)).toEqual(names(remembering));
  expect(int8.graph.inputs.length).toBe(1);
  verify(int8.graph);
});

test('as a step after pruning and clustering, whose zeros and shared values it keeps', async () => {
  const pruned = await pruneWeights({ ratio: 0.5 }).apply(tinyNetwork(), { backend, extensions: [] });
  const clustered = clusterModel(pruned.model, { clusters: 6 });
  const step = quantizeWhileTraining(async (model, { extensions }) => {
    const trainer = await createTrainer(model, { backend, extensions, loss: 'sparseCategoricalCrossentropy' });
    await trainer.trainOnBatch(batch as never);
    await trainer.sync();
    await trainer.dispose();
  });
  const extensions = [...(pruned.extensions ?? []), clustered.extension];
  const { model, notes } = await step.apply(clustered.model, { backend, extensions });
  const kernel = (each: Model): Float64Array => toNumbers(each.getWeights()['conv.kernel'] as Tensor);
  const isZero = (each: Model): boolean[] => [...kernel(each)].map((weight) => weight === 0);
  expect(isZero(pruned.model).filter((each) => each).length).toBeGreaterThan(20);
  const keeps = isZero(model);
  for (const [index, zero] of isZero(pruned.model).entries()) if (zero) expect(keeps[index]).toBe(true);
  const perChannel = kernel(model).length / 4;
  for (let channel = 0; channel < 4; channel++) {
    const own = kernel(model).slice(channel * perChannel, (channel + 1) * perChannel);
    expect(new Set(own).size).toBeLessThanOrEqual(6);
  }
  expect(notes?.[0]).toBe('trained as int8: conv.kernel, predictions.kernel');
});

test('what was not made ready, or not trained then, is refused', () => {
  const code = (model: Model): unknown => {
    try {
      return exportQuantized(model);
    } catch (error) {
      return error instanceof ModelwrightError ? error.code : error;
    }
  };
  expect(code(tinyNetwork())).toBe('invalid-model');
  expect(code(quantizationAware(tinyNetwork()))).toBe('invalid-model');
});
