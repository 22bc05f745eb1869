import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createBackend } from '@modelwright/backend-onnxruntime';
import { type Backend, createReferenceBackend, type Model, Tensor, type TensorMap } from '@modelwright/core';
import {
  add,
  averagePooling2d,
  batchNormalization,
  concatenate,
  conv2d,
  dense,
  depthwiseConv2d,
  flatten,
  model as functional,
  globalAveragePooling2d,
  gpt,
  input,
  maxPooling2d,
  reLU,
  zeroPadding2d,
} from '@modelwright/models';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { opsThatRun, outputOf, relativeError, runDirectly } from '../run-directly.cases.js';
import { quantizeStatic } from './quantize-static.js';

let backend: Backend;
beforeAll(async () => {
  backend = await createBackend();
});
afterAll(() => backend.dispose());

const images = (count: number, seed = 1): TensorMap => {
  const data = Float32Array.from(
    { length: count * 12 * 12 * 3 },
    (_, at) => Math.sin(at * seed * 0.37) * Math.cos(at * 0.011),
  );
  return { image: new Tensor('float32', [count, 12, 12, 3], data) };
};
const calibration = [images(8), images(8, 3)];

/** A stem, a residual block, two branches that are joined, global pooling and a classifier, all channels last. */
function branched(): Model {
  const image = input({ shape: [12, 12, 3], name: 'image' });
  const conv = (filters: number, kernelSize = 3) =>
    conv2d({ filters, kernelSize, padding: 'same', activation: 'relu', kernelInitializer: 'heNormal' });
  const stem = conv(16)(image);
  const pooled = maxPooling2d({ poolSize: 2 })(reLU()(add()(stem, conv(16)(stem))));
  const joined = concatenate({ axis: -1 })(conv(8, 1)(pooled), conv(8)(pooled));
  return functional({
    inputs: image,
    outputs: dense({ units: 5 })(globalAveragePooling2d()(joined)),
    seed: 7,
  });
}

test('all between the first and the last layer runs in integer kernels', async () => {
  const float = branched();
  const quantized = await quantizeStatic(float, { backend, calibration });
  const ops = await opsThatRun(quantized);
  expect(ops.filter((op) => !['Transpose', 'Flatten'].includes(op))).toEqual([
    ...['QuantizeLinear', 'QLinearConv', 'QLinearConv', 'QLinearAdd', 'NhwcMaxPool', 'QLinearConv', 'QLinearConv'],
    ...['QLinearConcat', 'QLinearGlobalAveragePool', 'QGemm'],
  ]);
  const inputs = images(4, 2);
  const direct = await runDirectly(quantized, inputs);
  expect(relativeError(direct, await outputOf(quantized, backend, inputs))).toBeLessThan(1e-6);
  expect(relativeError(direct, await outputOf(quantized, createReferenceBackend(), inputs))).toBeLessThan(0.02);
  expect(relativeError(direct, await outputOf(float, backend, inputs))).toBeLessThan(0.05);
});

test('weights keep their names, as integers that are not trained', async () => {
  const float = branched();
  const quantized = await quantizeStatic(float, { backend, calibration });
  expect(quantized.parameters.map(({ name }) => name)).toEqual(float.parameters.map(({ name }) => name));
  expect(quantized.parameters.every(({ trainable }) => !trainable)).toBe(true);
  const weights = quantized.getWeights();
  expect(weights['conv2d.kernel']?.dtype).toBe('int8');
  expect(weights['conv2d.bias']?.dtype).toBe('int32');
});

test('layers that are excluded stay float, and an unknown name is refused', async () => {
  const quantized = await quantizeStatic(branched(), { backend, calibration, exclude: ['conv2d', /^dense/] });
  const kept = quantized.parameters.filter(({ value }) => value.dtype === 'float32').map(({ name }) => name);
  expect(kept).toEqual(['conv2d.kernel', 'conv2d.bias', 'dense.kernel', 'dense.bias']);
  await expect(quantizeStatic(branched(), { backend, calibration, exclude: ['conv9'] })).rejects.toThrow(
    "'conv9' names no layer that can be quantized",
  );
});

const tokens = (count: number, steps: number): TensorMap => ({
  tokens: new Tensor(
    'int32',
    [count, steps],
    Int32Array.from({ length: count * steps }, (_, at) => (at * 7) % 40),
  ),
});

test('a transformer: products run on integers, embeddings and the tied output layer are quantized dynamically', async () => {
  const float = gpt({ vocabularySize: 40, sequenceLength: 16, width: 32, layers: 1, heads: 2, seed: 2 });
  const quantized = await quantizeStatic(float, { backend, calibration: [tokens(4, 8)], smooth: true });
  const ops = await opsThatRun(quantized);
  expect(ops.filter((op) => op === 'MatMulIntegerToFloat')).toHaveLength(4);
  expect(ops.filter((op) => op === 'DynamicQuantizeMatMul')).toHaveLength(1);
  expect(quantized.getWeights()['wte.embeddings']?.dtype).toBe('int8');
  const direct = await runDirectly(quantized, tokens(2, 8));
  expect(relativeError(direct, await outputOf(quantized, backend, tokens(2, 8)))).toBeLessThan(3e-3);
  expect(relativeError(direct, await outputOf(float, backend, tokens(2, 8)))).toBeLessThan(0.03);
  const part = await quantizeStatic(float, { backend, calibration: [tokens(4, 8)], rest: 'float' });
  expect(part.getWeights()['wte.embeddings']?.dtype).toBe('float32');
});

test.each([{ weight: 'uint8' }, { symmetricActivations: true }, { reduceRange: true }, { perChannel: false }] as const)(
  'scheme %o runs in the same kernels',
  async (scheme) => {
    const quantized = await quantizeStatic(branched(), { backend, calibration, scheme });
    const ops = await opsThatRun(quantized);
    expect(ops.filter((op) => op === 'QLinearConv')).toHaveLength(4);
    expect(ops).not.toContain('DequantizeLinear');
  },
);

test('what is left of normalization, padding, and clipping stay integers', async () => {
  const image = input({ shape: [12, 12, 3], name: 'input' });
  const padded = zeroPadding2d({ padding: 1 })(conv2d({ filters: 6, kernelSize: 3 })(image));
  const sum = add()(padded, conv2d({ filters: 6, kernelSize: 3, padding: 'same' })(image));
  const clipped = averagePooling2d({ poolSize: 2 })(reLU({ maxValue: 6 })(depthwiseConv2d({ kernelSize: 3 })(sum)));
  const last = conv2d({ filters: 4, kernelSize: 1 })(reLU()(batchNormalization({ name: 'normalized' })(clipped)));
  const float = functional({ inputs: image, outputs: dense({ units: 3 })(flatten()(last)), seed: 6 });
  const mean = new Tensor('float32', [6], Float32Array.of(0.1, -0.2, 0.3, 0, 0.2, -0.1));
  float.setWeights({ 'normalized.movingMean': mean });
  const inputs = { input: images(8)['image'] as Tensor };
  const quantized = await quantizeStatic(float, { backend, calibration: [inputs] });
  const ops = (await opsThatRun(quantized)).filter((op) => !['Transpose', 'Flatten', 'Reshape'].includes(op));
  expect(ops).toEqual([
    ...['QuantizeLinear', 'QLinearConv', 'QLinearConv', 'Pad', 'QLinearAdd', 'QLinearConv', 'QLinearAveragePool'],
    ...['QLinearConv', 'QLinearConv', 'QGemm'],
  ]);
  const direct = await runDirectly(quantized, inputs);
  expect(relativeError(direct, await outputOf(float, backend, inputs))).toBeLessThan(0.05);
  expect(relativeError(direct, await outputOf(quantized, createReferenceBackend(), inputs))).toBeLessThan(0.03);
});

test('integer kernels run in our backend, too', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'modelwright-'));
  const profiled = await createBackend({ engine: 'native', session: { profilePrefix: join(folder, 'run') } });
  const quantized = await quantizeStatic(branched(), { backend, calibration });
  await outputOf(quantized, profiled, images(2));
  await profiled.dispose();
  const [file] = readdirSync(folder) as [string];
  const events = JSON.parse(readFileSync(join(folder, file), 'utf8')) as { args?: { op_name?: string } }[];
  rmSync(folder, { recursive: true });
  const ran = new Set(events.map(({ args }) => args?.op_name));
  for (const op of ['QLinearConv', 'QLinearAdd', 'QLinearConcat', 'QGemm']) expect(ran).toContain(op);
  expect(ran).not.toContain('Conv');
});
