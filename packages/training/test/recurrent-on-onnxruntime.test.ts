/** What PyTorch computes for recurrent layers, on ONNX Runtime: inference from a file and gradients in training form. */
import { createBackend } from '@modelwright/backend-onnxruntime';
import {
  type Backend,
  createReferenceBackend,
  fromNumbers,
  inferenceProgram,
  type Tensor,
  type TensorMap,
  toNumbers,
} from '@modelwright/core';
import { bidirectional, dense, embedding, gru, lstm, sequential } from '@modelwright/models';
import { readOnnx, writeOnnx } from '@modelwright/onnx';
import { createTrainer } from '@modelwright/training';
import { afterAll, beforeAll, expect, test } from 'vitest';
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

test.each(recurrentCases)('%s: outputs and gradients in training form', async (_id, prepare) => {
  const prepared = prepare();
  const { model, feeds, outputs, gradients } = prepared;
  const results = await run({ graph: gradientGraph(prepared), state: [] }, feeds);
  for (const output of outputs) expectClose(results[`training ${output.name}`], output);
  for (const gradient of gradients) {
    const given = results[`d ${gradient.name}`] as Tensor;
    const isWeight = model.parameters.some(({ name }) => name === gradient.name);
    expectClose(isWeight ? toKeras(given, model.layoutOf(gradient.name)) : given, gradient, `d ${gradient.name}`);
  }
});

// The fused ops and the loops of all layers are among these.
const some = recurrentCases.filter((_, index) => index % 3 === 0);

test.each(some)('%s: inference from a file', async (_id, prepare) => {
  const { model, feeds, outputs } = prepare();
  const results = await run(inferenceProgram(readOnnx(writeOnnx(model).bytes)), feeds);
  for (const output of outputs) expectClose(results[output.name], output);
});

test('recurrent dropout draws the same from a file, and on the reference', async () => {
  const written = sequential({
    inputShape: [null],
    layers: [
      embedding({ inputDim: 10, outputDim: 4, maskZero: true }),
      bidirectional({ layer: gru({ units: 3, dropout: 0.3, recurrentDropout: 0.3, returnSequences: true }) }),
      lstm({ units: 4, recurrentDropout: 0.5 }),
      dense({ units: 1 }),
    ],
  });
  const read = readOnnx(writeOnnx(written).bytes);
  const x = fromNumbers('int32', [2, 5], [1, 2, 3, 0, 0, 4, 5, 6, 7, 8]);
  const losses: number[] = [];
  for (const model of [written, read]) {
    for (const each of [backend, createReferenceBackend()]) {
      const trainer = await createTrainer(model, { backend: each, loss: 'mse', seed: 5 });
      for (let step = 0; step < 2; step++)
        losses.push((await trainer.trainOnBatch({ x, y: [[1], [2]] }))['loss'] as number);
      await trainer.dispose();
    }
  }
  for (const [index, loss] of losses.entries()) expect(loss).toBeCloseTo(losses[index % 2] as number, 4);
});
