/** What PyTorch computes for recurrent layers, on ONNX Runtime: inference from a file and gradients in training form. */
import { createBackend } from '@modelwright/backend-onnxruntime';
import { type Backend, inferenceProgram, type Tensor, type TensorMap, toNumbers } from '@modelwright/core';
import { readOnnx, writeOnnx } from '@modelwright/onnx';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Expected, gradientGraph, recurrentCases } from '../../models/src/layers/recurrent/recurrent.cases.js';
import { toKeras } from '../../models/src/weights/keras-layout.js';

let backend: Backend;
beforeAll(async () => {
  backend = await createBackend();
});
afterAll(() => backend.dispose());

function expectClose(given: Tensor | undefined, expected: Expected, what = expected.name): void {
  expect(given?.shape, what).toEqual(expected.shape);
  const numbers = toNumbers(given as Tensor);
  expected.data.forEach((value, index) => {
    const distance = Math.abs((numbers[index] as number) - value);
    // float32 all the way; the runtime's tanh and sigmoid in fused ops are approximations.
    expect(distance, `${what}[${index}] = ${numbers[index]}, not ${value}`).toBeLessThan(2e-5 * (1 + Math.abs(value)));
  });
}

async function run(program: ReturnType<typeof inferenceProgram>, feeds: TensorMap): Promise<TensorMap> {
  const executable = await backend.compile(program);
  try {
    return await executable.run(feeds);
  } finally {
    await executable.dispose();
  }
}

describe.each(recurrentCases)('%s', (_id, prepare) => {
  test('infers from a file and differentiates as PyTorch does', async () => {
    const prepared = prepare();
    const { model, feeds, outputs, gradients } = prepared;
    const file = readOnnx(writeOnnx(model).bytes);
    const results = await run(inferenceProgram(file), feeds);
    for (const output of outputs) expectClose(results[output.name], output);
    const differentiated = await run({ graph: gradientGraph(prepared), state: [] }, feeds);
    for (const gradient of gradients) {
      const given = differentiated[`d ${gradient.name}`] as Tensor;
      const isWeight = model.parameters.some(({ name }) => name === gradient.name);
      expectClose(isWeight ? toKeras(given, model.layoutOf(gradient.name)) : given, gradient, `d ${gradient.name}`);
    }
  });
});
