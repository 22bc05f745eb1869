import { type Backend, createReferenceBackend, fromNumbers, type Model, type Tensor } from '@modelwright/core';
import { batchNormalization, conv2d, dense, flatten, maxPooling2d, sequential } from '@modelwright/models';
import { createTrainer } from '@modelwright/training';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createBackend, type WasmBackend } from './create-backend.js';

let wasm: WasmBackend;
beforeAll(async () => {
  wasm = await createBackend();
});
afterAll(() => wasm.dispose());

const perceptron = (): Model =>
  sequential({
    inputShape: [8, 8, 1],
    layers: [flatten(), dense({ units: 16, activation: 'relu' }), dense({ units: 4, activation: 'softmax' })],
  });

const convolutional = (): Model =>
  sequential({
    inputShape: [8, 8, 1],
    layers: [
      conv2d({ filters: 4, kernelSize: 3, activation: 'relu' }),
      batchNormalization(),
      conv2d({ filters: 6, kernelSize: 3, strides: 2, padding: 'same', activation: 'relu' }),
      maxPooling2d({ poolSize: 2, strides: 1 }),
      flatten(),
      dense({ units: 4, activation: 'softmax' }),
    ],
  });

/** Images of a few smooth waves, one a class, with labels. */
function batch(step: number): readonly [Tensor, Tensor] {
  const labels = Array.from({ length: 6 }, (_, row) => (row * 7 + step) % 4);
  const pixels = labels.flatMap((label) =>
    Array.from({ length: 64 }, (_, at) => Math.sin((at + step) * (0.2 + label * 0.3))),
  );
  return [fromNumbers('float32', [6, 8, 8, 1], pixels), fromNumbers('int64', [6], labels)];
}

async function losses(backend: Backend, model: Model, steps: number): Promise<readonly number[]> {
  const trainer = await createTrainer(model, {
    backend,
    optimizer: 'adam',
    loss: 'sparseCategoricalCrossentropy',
    seed: 3,
  });
  const trace: number[] = [];
  for (let step = 0; step < steps; step++) trace.push((await trainer.trainOnBatch(batch(step))).loss as number);
  await trainer.dispose();
  return trace;
}

describe.each([
  ['a perceptron', perceptron],
  ['a convolutional network', convolutional],
])('%s', (_, model) => {
  test('learns like on the reference, step by step', async () => {
    const expected = await losses(createReferenceBackend(), model(), 20);
    const actual = await losses(wasm, model(), 20);
    const worst = Math.max(...actual.map((loss, at) => Math.abs(loss / (expected[at] as number) - 1)));
    expect(worst).toBeLessThan(1e-3);
  });

  test('holds the same number of tensors for a thousand steps', async () => {
    const trainer = await createTrainer(model(), {
      backend: wasm,
      optimizer: 'adam',
      loss: 'sparseCategoricalCrossentropy',
      seed: 3,
    });
    await trainer.trainOnBatch(batch(0));
    await trainer.trainOnBatch(batch(1));
    const before = wasm.tensorCount();
    for (let step = 0; step < 1000; step++) await trainer.trainOnBatch(batch(step));
    expect(wasm.tensorCount()).toBe(before);
    await trainer.dispose();
  });
});
