import { type Backend, createReferenceBackend } from '@modelwright/core';
import { dense, masking, sequential } from '@modelwright/models';
import { createTrainer, sgd } from '@modelwright/training';
import { expect, test } from 'vitest';
import { loadBackend } from './backend/load-backend.js';

const x = [0, 1].map((row) =>
  Array.from({ length: 6 }, (_, step) => (row === 1 && step > 3 ? [0, 0] : [1 + row, step])),
);
const y = [
  [1, 1, 2],
  [2, 1, -1],
];

/** Losses of a few steps of training under CTC, with rows of different lengths and a label twice in a row. */
async function losses(backend: Backend): Promise<readonly number[]> {
  const model = sequential({
    inputShape: [6, 2],
    layers: [masking(), dense({ units: 3, activation: 'softmax' })],
    seed: 3,
  });
  const trainer = await createTrainer(model, { backend, loss: 'ctc', optimizer: sgd({ learningRate: 0.1 }) });
  const history: number[] = [];
  for (let step = 0; step < 5; step++) history.push((await trainer.trainOnBatch({ x, y }))['loss'] as number);
  await trainer.dispose();
  return history;
}

test('CTC trains alike on the reference, ONNX Runtime and WebAssembly', async () => {
  const expected = await losses(createReferenceBackend());
  expect(expected.at(-1)).toBeLessThan(expected[0] as number);
  for (const name of ['onnxruntime', 'wasm']) {
    const backend = await loadBackend({ name });
    const given = await losses(backend);
    await backend.dispose();
    for (const [step, loss] of expected.entries()) expect(given[step], `${name}, step ${step}`).toBeCloseTo(loss, 4);
  }
});
