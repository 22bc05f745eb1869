import { readFileSync } from 'node:fs';
import { createBackend } from '@modelwright/backend-onnxruntime';
import { fromNumbers, type Model, type Tensor, type TensorMap } from '@modelwright/core';
import { batchNormalization, conv2d, dense, flatten, sequential } from '@modelwright/models';
import { readOnnx } from '@modelwright/onnx';
import { afterAll, expect, test } from 'vitest';
import { foldBatchNormalization } from '../graph/index.js';
import { removeChannels } from '../prune/channels/index.js';
import { quantizeStatic } from '../quantize/index.js';
import { compareLayers } from './compare-layers.js';

const opened = createBackend();
afterAll(async () => (await opened).dispose());

const wave = (shape: readonly number[], phase = 0): Tensor => {
  const count = shape.reduce((product, extent) => product * extent, 1);
  return fromNumbers(
    'float32',
    shape,
    Float64Array.from({ length: count }, (_, at) => Math.sin(at * 1.7 + phase)),
  );
};

function network(): Model {
  const model = sequential({
    inputShape: [8, 8, 2],
    layers: [
      conv2d({ filters: 4, kernelSize: 3, useBias: false, name: 'first' }),
      batchNormalization({ name: 'norm' }),
      conv2d({ filters: 6, kernelSize: 3, activation: 'relu', name: 'second' }),
      flatten(),
      dense({ units: 3, activation: 'softmax', name: 'head' }),
    ],
  });
  const values = model.parameters.map(({ name, value }, at): [string, Tensor] => {
    const tensor = wave(value.shape as number[], at);
    return [name, name.endsWith('Variance') ? fromNumbers('float32', [4], [0.5, 1, 2, 3]) : tensor];
  });
  model.setWeights(Object.fromEntries(values));
  return model;
}

const samples: TensorMap = { [network().graph.inputs[0]?.name as string]: wave([8, 8, 8, 2], 3) };
const names = ['first/Conv', 'second/Conv', 'head/Gemm'];

test('finds layers again that others were folded into', async () => {
  const model = network();
  const found = await compareLayers(model, foldBatchNormalization(model), { backend: await opened, samples });
  expect(found.layers.map(({ layer }) => layer).sort()).toEqual([...names].sort());
  expect(found.otherLayers).toBe(0);
  for (const { accumulatedError, ownError } of found.layers) {
    expect(accumulatedError).toBeLessThan(1e-5);
    expect(ownError).toBeLessThan(1e-5);
  }
});

test('tells what each quantized layer adds by itself from what it was given', async () => {
  const backend = await opened;
  const folded = foldBatchNormalization(network());
  const quantized = await quantizeStatic(folded, { backend, calibration: [samples] });
  const { layers, outputError, examples } = await compareLayers(folded, quantized, { backend, samples });
  expect(layers.map(({ layer }) => layer).sort()).toEqual([...names].sort());
  expect(examples).toBe(8);
  expect(outputError).toBeGreaterThan(0);
  for (const layer of layers) {
    expect(layer.ownError).toBeGreaterThan(1e-5);
    expect(layer.ownError).toBeLessThan(0.1);
    expect(layer.outputError).toBeLessThan(0.3);
  }
  const errors = layers.map((layer) => layer.outputError);
  expect(errors).toEqual([...errors].sort((a, b) => b - a));
  const head = layers.find(({ layer }) => layer === 'head/Gemm');
  expect(head?.ownError).toBeLessThan(head?.accumulatedError as number);
});

test('counts layers of another width instead of comparing them', async () => {
  const model = network();
  const narrow = await removeChannels(model, { ratio: 0.5 });
  const { layers, otherLayers } = await compareLayers(model, narrow, { backend: await opened, samples });
  expect(otherLayers).toBe(2);
  expect(layers.map(({ layer }) => layer)).toEqual(['head/Gemm']);
});

test('compares an imported model', async () => {
  const backend = await opened;
  const model = readOnnx(readFileSync(new URL('../../fixtures/classifier-9.onnx', import.meta.url)));
  const [input] = model.graph.inputs;
  const shape = (input?.shape ?? []).map((extent, axis) => (typeof extent === 'number' ? extent : axis === 0 ? 4 : 8));
  const given: TensorMap = { [input?.name as string]: wave(shape) };
  const quantized = await quantizeStatic(model, { backend, calibration: [given] });
  const { layers, otherLayers } = await compareLayers(model, quantized, { backend, samples: given });
  // The scale of a normalization behind a sum was folded into both branches: what they give is no longer what it was.
  expect(otherLayers).toBe(2);
  expect(layers.map(({ layer }) => layer)).not.toContain('/narrow/Conv');
  expect(layers.length).toBeGreaterThan(2);
  for (const { ownError } of layers) expect(ownError).toBeLessThan(0.1);
});
