import { readFileSync } from 'node:fs';
import { createBackend } from '@modelwright/backend-onnxruntime';
import { type Backend, fromNumbers, type Model, type TensorMap, toNumbers } from '@modelwright/core';
import { conv2d, dense, flatten, sequential } from '@modelwright/models';
import { readOnnx } from '@modelwright/onnx';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { quantizeDynamic } from './dynamic/quantize-dynamic.js';
import { type QuantizeOptions, quantize } from './quantize.js';
import { outputOf, relativeError, runDirectly } from './run-directly.cases.js';
import { quantizationSensitivity } from './sensitivity.js';
import { quantizeStatic } from './static/quantize-static.js';

let backend: Backend;
beforeAll(async () => {
  backend = await createBackend();
});
afterAll(() => backend.dispose());

const wave = (name: string, shape: readonly number[], seed = 1): TensorMap => {
  const count = shape.reduce((a, b) => a * b, 1);
  return {
    [name]: fromNumbers(
      'float32',
      shape,
      Float64Array.from({ length: count }, (_, at) => Math.sin(at * 0.71 * seed)),
    ),
  };
};
const inputs = wave('input', [16, 8, 8, 2]);
async function* samples() {
  yield inputs;
}

function network(): Model {
  const layers = [
    conv2d({ filters: 8, kernelSize: 3, activation: 'relu', name: 'first' }),
    conv2d({ filters: 8, kernelSize: 3, activation: 'relu', name: 'second' }),
    flatten(),
    dense({ units: 6, name: 'last' }),
  ];
  return sequential({ inputShape: [8, 8, 2], layers, seed: 3 });
}

/** How like the float model another is: 1 where outputs are equal. */
async function measureAgainst(float: Model): Promise<(model: Model) => Promise<number>> {
  const exact = await outputOf(float, backend, inputs);
  return async (model) => 1 - relativeError(await outputOf(model, backend, inputs), exact);
}

const apply = async (options: QuantizeOptions, evaluate?: (model: Model) => Promise<number>) =>
  quantize(options).apply(network(), {
    ...{ backend, calibration: samples, extensions: [] },
    ...(evaluate === undefined ? {} : { evaluate }),
  });
const weightTypes = (model: Model): unknown[] =>
  model.parameters.filter(({ name }) => name.endsWith('kernel')).map(({ value }) => value.dtype);

test('the scheme follows the CPU', async () => {
  const exact = await apply({ mode: 'static', target: { vnni: true } });
  const narrow = await apply({ mode: 'static', target: { vnni: false } });
  const largest = (model: Model): number =>
    toNumbers(model.getWeights()['first.kernel'] as never).reduce((most, each) => Math.max(most, Math.abs(each)), 0);
  expect(largest(exact.model)).toBe(127);
  expect(largest(narrow.model)).toBe(64);
  expect(narrow.notes?.join()).toContain('would saturate');
});

test('where the fast scheme loses too much, the other is taken, and then said', async () => {
  const close = await measureAgainst(network());
  // Whoever measures finds 7 bits bad.
  const evaluate = async (model: Model): Promise<number> => (weightTypes(model)[0] === 'int8' ? 0 : close(model));
  const { model, notes } = await apply({ mode: 'static', target: { vnni: false }, maxLoss: 0.1 }, evaluate);
  expect(weightTypes(model)).toEqual(['uint8', 'uint8', 'uint8']);
  expect(notes?.join()).toMatch(/7-bit|saturate.*loses 1/);
  const direct = await runDirectly(model, inputs);
  expect(relativeError(direct, await outputOf(network(), backend, inputs))).toBeLessThan(0.1);
});

test('the layers that lose most stay float where nothing else keeps the budget', async () => {
  const ranking = await quantizationSensitivity(network(), { backend, calibration: samples });
  expect(ranking).toHaveLength(3);
  const worst = ranking[0]?.name as string;
  // Full accuracy as soon as the most sensitive layer is float.
  const evaluate = async (model: Model): Promise<number> => (model.getWeights()[worst]?.dtype === 'float32' ? 1 : 0.5);
  const { model, notes } = await apply({ mode: 'static', target: { vnni: true }, maxLoss: 0.1 }, evaluate);
  expect(weightTypes(model).filter((dtype) => dtype === 'float32')).toHaveLength(1);
  expect(model.getWeights()[worst]?.dtype).toBe('float32');
  expect(notes?.join()).toContain(`stay float: ${worst}`);
});

test('a model that no form of keeps the budget stays as it is', async () => {
  const evaluate = async (model: Model): Promise<number> =>
    weightTypes(model).every((each) => each === 'float32') ? 1 : 0;
  const { model, notes } = await apply({ mode: 'static', maxLoss: 0.1 }, evaluate);
  expect(weightTypes(model)).toEqual(['float32', 'float32', 'float32']);
  expect(notes?.join()).toContain('the model stays float');
});

test('samples are asked for, and modes that do not exist refused', async () => {
  const step = quantize({ mode: 'static' });
  await expect(step.apply(network(), { backend, extensions: [] })).rejects.toThrow('needs samples');
  expect(() => quantize({ mode: 'lazy' } as never)).toThrow("no mode 'lazy'");
});

test('bias correction keeps the means of outputs', async () => {
  const exact = toNumbers(await outputOf(network(), backend, inputs));
  const meanError = async (biasCorrection: boolean): Promise<number> => {
    const options = {
      backend,
      calibration: [inputs],
      biasCorrection,
      scheme: { perChannel: false, reduceRange: true },
    };
    const given = toNumbers(await outputOf(await quantizeStatic(network(), options), backend, inputs));
    const errors = Array.from({ length: 6 }, (_, unit) => {
      let sum = 0;
      for (let at = unit; at < exact.length; at += 6) sum += (given[at] as number) - (exact[at] as number);
      return Math.abs(sum);
    });
    return errors.reduce((a, b) => a + b, 0);
  };
  expect(await meanError(true)).toBeLessThan(await meanError(false));
});

test('a file of PyTorch is quantized both ways and runs without our code', async () => {
  const file = readFileSync(new URL('../../fixtures/channels-torch.onnx', import.meta.url));
  const float = readOnnx(file);
  const batch = wave('x', [8, 3, 8, 8]);
  const exact = await outputOf(float, backend, batch);
  const statically = await quantizeStatic(float, { backend, calibration: [batch] });
  for (const [quantized, tolerance] of [
    [statically, 0.15],
    [quantizeDynamic(float), 0.05],
  ] as const) {
    const direct = await runDirectly(quantized, batch);
    expect(relativeError(direct, exact)).toBeLessThan(tolerance);
    expect(relativeError(direct, await outputOf(quantized, backend, batch))).toBeLessThan(3e-3);
  }
});
