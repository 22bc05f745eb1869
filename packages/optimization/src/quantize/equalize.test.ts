import { createBackend } from '@modelwright/backend-onnxruntime';
import { type Backend, fromNumbers, type Model, Tensor, type TensorMap, toNumbers } from '@modelwright/core';
import {
  averagePooling2d,
  conv2d,
  dense,
  depthwiseConv2d,
  flatten,
  layerNormalization,
  maxPooling2d,
  sequential,
} from '@modelwright/models';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { equalizeLayers } from './equalize.js';
import { inferenceForm } from './prepare.js';
import { outputOf, relativeError } from './run-directly.cases.js';
import { smoothActivations } from './smooth.js';
import { quantizeStatic } from './static/quantize-static.js';

let backend: Backend;
beforeAll(async () => {
  backend = await createBackend();
});
afterAll(() => backend.dispose());

const wave = (shape: readonly number[], seed = 1): Tensor =>
  fromNumbers(
    'float32',
    shape,
    Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, at) => Math.sin(at * 0.91 * seed) + 0.2),
  );

/** A chain through convolutions, a depthwise one among them, pooling and a flattening; channels of very different size. */
function uneven(): Model {
  const layers = [
    conv2d({ filters: 8, kernelSize: 3, activation: 'relu' }),
    depthwiseConv2d({ kernelSize: 3, activation: 'relu' }),
    maxPooling2d({ poolSize: 2 }),
    conv2d({ filters: 6, kernelSize: 1, activation: 'relu' }),
    averagePooling2d({ poolSize: 2 }),
    flatten(),
    dense({ units: 4, activation: 'relu' }),
    dense({ units: 3 }),
  ];
  const model = sequential({ inputShape: [12, 12, 2], layers, seed: 5 });
  const kernels = Object.entries(model.getWeights()).filter(([name]) => /kernel$/i.test(name));
  const spread = kernels.map(([name, { shape, dtype, ...rest }]): [string, Tensor] => {
    const rows = toNumbers({ shape, dtype, ...rest } as Tensor);
    const size = rows.length / (shape[0] as number);
    return [
      name,
      fromNumbers(
        dtype,
        shape,
        rows.map((each, at) => each * 4 ** (Math.floor(at / size) % 5)),
      ),
    ];
  });
  model.setWeights(Object.fromEntries(spread));
  return model;
}

const images = (seed: number): TensorMap => ({ input: wave([6, 12, 12, 2], seed) });

test('equalized layers compute the same and lose less with one scale for all channels', async () => {
  const float = uneven();
  const equalized = equalizeLayers(float);
  const exact = await outputOf(float, backend, images(1));
  expect(relativeError(await outputOf(equalized, backend, images(1)), exact)).toBeLessThan(1e-5);
  const options = { backend, calibration: [images(1)], scheme: { perChannel: false } };
  const errorOf = async (extra: object): Promise<number> =>
    relativeError(await outputOf(await quantizeStatic(float, { ...options, ...extra }), backend, images(1)), exact);
  expect(await errorOf({ equalize: true })).toBeLessThan((await errorOf({})) * 0.6);
  expect(equalized.getWeights()['conv2d.kernel']).not.toEqual(inferenceForm(float).getWeights()['conv2d.kernel']);
});

/** A normalization whose gamma makes some features large. */
function withOutliers(): Model {
  const layers = [
    dense({ units: 32 }),
    layerNormalization(),
    dense({ units: 48, activation: 'gelu' }),
    dense({ units: 16 }),
  ];
  const model = sequential({ inputShape: [5, 8], layers, seed: 2 });
  const gamma = Float32Array.from({ length: 32 }, (_, at) => (at % 16 === 3 ? 60 : 1));
  model.setWeights({ 'layerNormalization.gamma': new Tensor('float32', [32], gamma) });
  return model;
}

test('smoothed activations compute the same and lose less to outliers', async () => {
  const float = withOutliers();
  const inputs = { input: wave([16, 5, 8]) };
  const observation = { backend, calibration: [inputs] };
  const exact = await outputOf(float, backend, inputs);
  const smoothed = await smoothActivations(float, observation);
  expect(relativeError(await outputOf(smoothed, backend, inputs), exact)).toBeLessThan(1e-5);
  const errorOf = async (smooth: boolean): Promise<number> => {
    const quantized = await quantizeStatic(float, { ...observation, smooth });
    return relativeError(await outputOf(quantized, backend, inputs), exact);
  };
  expect(await errorOf(true)).toBeLessThan((await errorOf(false)) * 0.7);
  await expect(smoothActivations(float, { ...observation, alpha: 2 })).rejects.toThrow('alpha is 2');
});
