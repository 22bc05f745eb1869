/** Files of other makers train like models of one's own. */
import { createReferenceBackend, type Model } from '@modelwright/core';
import { batchNormalization, dense, dropout, sequential } from '@modelwright/models';
import { readOnnx, writeOnnx } from '@modelwright/onnx';
import { createRandom, createTrainer } from '@modelwright/training';
import { expect, test } from 'vitest';

const backend = createReferenceBackend();
const random = createRandom(1);
const x = Array.from({ length: 12 }, () => [0, 1, 2].map(() => random.nextUint32() / 2 ** 31 - 1));
const y = x.map(([first]) => ((first as number) > 0 ? 1 : 0));

async function train(model: Model): Promise<readonly number[]> {
  const trainer = await createTrainer(model, { backend, loss: 'sparseCategoricalCrossentropy', seed: 3 });
  const { values } = await trainer.fit([x, y], { epochs: 3, batchSize: 5, verbose: 0 });
  return values['loss'] as number[];
}

test('a model that was saved and read again trains as before', async () => {
  const model = sequential({
    inputShape: [3],
    seed: 1,
    layers: [
      dense({ units: 4, activation: 'relu', kernelRegularizer: 'l2' }),
      batchNormalization(),
      dropout({ rate: 0.2 }),
      dense({ units: 2, activation: 'softmax' }),
    ],
  });
  const read = readOnnx(writeOnnx(model).bytes);
  expect(read.parameters.map(({ name, role, trainable }) => [name, role, trainable])).toEqual(
    model.parameters.map(({ name, role, trainable }) => [name, role, trainable]),
  );
  expect(await train(read)).toEqual(await train(model));
});

test('a bare graph trains, too: its weights are found', async () => {
  const layers = [
    dense({ units: 4, activation: 'relu' }),
    batchNormalization(),
    dense({ units: 2, activation: 'softmax' }),
  ];
  const model = sequential({ inputShape: [3], seed: 1, layers });
  const bare = readOnnx(writeOnnx(model.graph).bytes);
  const roles = (each: Model): readonly string[] => each.parameters.map(({ role }) => role).sort();
  expect(roles(bare)).toEqual(roles(model));
  expect(await train(bare)).toEqual(await train(model));
});
