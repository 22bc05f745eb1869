/** What PyTorch computes for attention layers, on ONNX Runtime: inference from a file, and gradients. */
import { createBackend } from '@modelwright/backend-onnxruntime';
import {
  type Backend,
  inferenceProgram,
  type Program,
  type Tensor,
  type TensorMap,
  toNumbers,
} from '@modelwright/core';
import { readOnnx, writeOnnx } from '@modelwright/onnx';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  attentionCases,
  build,
  differentiated,
  feeds,
  type Packed,
} from '../../models/src/layers/attention/attention.cases.js';
import { toKeras } from '../../models/src/weights/keras-layout.js';

let backend: Backend;
beforeAll(async () => {
  backend = await createBackend();
});
afterAll(() => backend.dispose());

function expectClose(given: Tensor | undefined, expected: Packed, what: string): void {
  expect(given?.shape, what).toEqual(expected.shape);
  const numbers = toNumbers(given as Tensor);
  const distances = expected.data.map((value, at) => Math.abs((numbers[at] as number) - value) / (1 + Math.abs(value)));
  expect(Math.max(0, ...distances), what).toBeLessThan(2e-5);
}

async function run(program: Program, inputs: TensorMap): Promise<TensorMap> {
  const executable = await backend.compile(program);
  try {
    return await executable.run(inputs);
  } finally {
    await executable.dispose();
  }
}

describe.each(attentionCases)('%s', (_, attentionCase) => {
  const built = build(attentionCase);

  test('infers from a file as PyTorch does', async () => {
    const loaded = readOnnx(writeOnnx(built).bytes);
    expect(loaded.parameters.map(({ name }) => name)).toEqual(built.parameters.map(({ name }) => name));
    const results = await run(inferenceProgram(loaded), feeds(attentionCase));
    attentionCase.outputs.forEach((output, index) => {
      expectClose(results[`y${index}`], output, `output ${index}`);
    });
  });

  test('has PyTorch’s gradients', async () => {
    const { graph, inputs } = differentiated(built, attentionCase);
    const results = await run({ graph, state: [] }, inputs);
    attentionCase.inputGradients.forEach((expected, index) => {
      if (expected) expectClose(results[`gradient of x${index}`], expected, `gradient of input ${index}`);
    });
    built.parameters.forEach(({ name }, index) => {
      const gradient = toKeras(results[`gradient of ${name}`] as Tensor, built.layoutOf(name));
      const expected = attentionCase.weightGradients[index];
      if (expected) expectClose(gradient, expected, `gradient of ${name}`);
    });
  });
});
