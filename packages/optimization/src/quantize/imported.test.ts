import { readFileSync } from 'node:fs';
import { createBackend } from '@modelwright/backend-onnxruntime';
import { type Backend, fromNumbers } from '@modelwright/core';
import { readOnnx } from '@modelwright/onnx';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { quantizeDynamic } from './dynamic/quantize-dynamic.js';
import { opsThatRun, outputOf, relativeError, runDirectly } from './run-directly.cases.js';
import { quantizeStatic } from './static/quantize-static.js';

let backend: Backend;
beforeAll(async () => {
  backend = await createBackend();
});
afterAll(() => backend.dispose());

interface Recorded {
  readonly input: { readonly name: string; readonly shape: number[]; readonly data: number[] };
  readonly output: { readonly shape: number[]; readonly data: number[] };
}

const fixtures = new URL('../../fixtures/', import.meta.url);

// Two samples calibrate and are compared: what is left is rounding.
test.each([
  ['classifier-9', 'QLinearConv', 0.06],
  ['encoder-11', 'MatMulIntegerToFloat', 0.03],
  ['generator-10', 'QGemm', 0.03],
])('%s of PyTorch, statically and dynamically', async (name, kernel, tolerance) => {
  const { input, output } = JSON.parse(readFileSync(new URL(`${name}.json`, fixtures), 'utf8')) as Recorded;
  const inputs = { [input.name]: fromNumbers('float32', input.shape, input.data) };
  const torch = fromNumbers('float32', output.shape, output.data);
  const float = readOnnx(readFileSync(new URL(`${name}.onnx`, fixtures)));
  const statically = await quantizeStatic(float, { backend, calibration: [inputs] });
  expect(await opsThatRun(statically)).toContain(kernel);
  for (const quantized of [statically, quantizeDynamic(float)]) {
    const direct = await runDirectly(quantized, inputs);
    expect(relativeError(direct, torch)).toBeLessThan(tolerance);
    expect(relativeError(direct, await outputOf(quantized, backend, inputs))).toBeLessThan(3e-3);
  }
});
