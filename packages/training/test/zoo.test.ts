import { createBackend } from '@modelwright/backend-onnxruntime';
import { type Backend, fromNumbers, type Model, Tensor } from '@modelwright/core';
import {
  autoencoder,
  denseNet,
  inceptionV3,
  lenet5,
  mlp,
  mobileNetV2,
  resnet,
  textCnn,
  variationalAutoencoder,
} from '@modelwright/models';
import { adam, createTrainer } from '@modelwright/training';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

let backend: Backend;
beforeAll(async () => {
  backend = await createBackend();
});
afterAll(() => backend.dispose());

/** Images whose class shows in one of their channels, with some noise: anything that trains learns them. */
function images(shape: readonly [number, number, number], classes: number, count = 8): { x: Tensor; y: Tensor } {
  const [height, width, channels] = shape;
  const labels = Int32Array.from({ length: count }, (_, index) => index % classes);
  const pixels = Float32Array.from({ length: count * height * width * channels }, (_, index) => {
    const example = Math.floor(index / (height * width * channels));
    const bright = index % channels === (labels[example] as number) % channels;
    return 0.3 * Math.sin(index * 12.9898) + (bright ? 1 : -1) * (labels[example] === 0 ? 0.5 : 1);
  });
  return { x: new Tensor('float32', [count, ...shape], pixels), y: new Tensor('int32', [count], labels) };
}

/** Images of a bright stripe each, at one of eight places. */
function stripes(count: number): Tensor {
  const pixels = Float32Array.from({ length: count * 256 }, (_, index) => {
    const [row, example] = [Math.floor(index / 16) % 16, Math.floor(index / 256)];
    return Math.floor(row / 2) === example % 8 ? 1 : 0;
  });
  return new Tensor('float32', [count, 16, 16, 1], pixels);
}

async function losses(model: Model, { x, y }: { x: Tensor; y: Tensor }, steps: number): Promise<readonly number[]> {
  const trainer = await createTrainer(model, {
    backend,
    optimizer: adam({ learningRate: 0.003 }),
    loss: model.graph.outputs[0]?.value.shape.at(-1) === 1 ? 'binaryCrossentropy' : 'sparseCategoricalCrossentropy',
    seed: 2,
  });
  const values: number[] = [];
  for (let step = 0; step < steps; step++) {
    const inputs = { [model.graph.inputs[0]?.name as string]: x };
    values.push((await trainer.trainOnBatch({ inputs, targets: y }))['loss'] as number);
  }
  await trainer.dispose();
  return values;
}

const classes = 3;
const small = { inputShape: [32, 32, 3], classes } as const;

describe('networks of the zoo train', () => {
  test.each([
    ['mlp', mlp({ ...small, dropout: 0.1, batchNormalization: true }), [32, 32, 3]],
    ['lenet5', lenet5({ classes, activation: 'relu', pooling: 'max', inputShape: [28, 28, 3] }), [28, 28, 3]],
    ['resnet, CIFAR', resnet({ ...small, depth: 20, baseFilters: 4 }), [32, 32, 3]],
    ['resnet of basic blocks', resnet({ ...small, depth: 18, baseFilters: 4 }), [32, 32, 3]],
    ['resnet of bottlenecks', resnet({ ...small, depth: 50, baseFilters: 4 }), [32, 32, 3]],
    ['denseNet, CIFAR', denseNet({ ...small, depth: 22, growthRate: 4, dropout: 0.1 }), [32, 32, 3]],
    ['mobileNetV2', mobileNetV2({ ...small, alpha: 0.1, dropout: 0.1 }), [32, 32, 3]],
    ['inceptionV3', inceptionV3({ classes, inputShape: [75, 75, 3], alpha: 0.06 }), [75, 75, 3]],
  ] as const)('%s', async (_, model, shape) => {
    const values = await losses(model, images(shape, classes), 12);
    expect(Math.min(...values.slice(-3))).toBeLessThan(0.6 * (values[0] as number));
  });

  test.each([
    ['autoencoder', autoencoder({ inputShape: [16, 16, 1], filters: [4, 8], latentSize: 4 })],
    ['variationalAutoencoder', variationalAutoencoder({ inputShape: [16, 16, 1], hiddenUnits: [32], latentSize: 2 })],
  ])('%s', async (_, model) => {
    const x = stripes(32);
    const trainer = await createTrainer(model, {
      backend,
      optimizer: adam({ learningRate: 0.01 }),
      loss: 'binaryCrossentropy',
    });
    const before = await trainer.evaluate({ x, y: x });
    const history = await trainer.fit({ x, y: x }, { epochs: 25, batchSize: 16, verbose: 0 });
    const after = await trainer.evaluate({ x, y: x });
    expect(after['loss']).toBeLessThan(0.8 * (before['loss'] as number));
    if (model.losses.length > 0) {
      const divergence = history.values['latent.klDivergence'] as number[];
      expect(divergence.every((value) => value > 0)).toBe(true);
      expect(after['latent.klDivergence']).toBeGreaterThan(0);
      expect(after['loss']).toBeGreaterThan(after['latent.klDivergence'] as number);
    }
    await trainer.dispose();
  });

  test('textCnn finds the words that matter', async () => {
    const [count, length] = [32, 12];
    const tokens = Array.from({ length: count * length }, (_, index) => (index * 7919) % 50);
    const labels = Array.from({ length: count }, (_, row) =>
      tokens.slice(row * length, (row + 1) * length).includes(7) ? 1 : 0,
    );
    const model = textCnn({ vocabularySize: 50, sequenceLength: length, embeddingSize: 16, filters: 16, classes: 1 });
    const data = { x: fromNumbers('int32', [count, length], tokens), y: fromNumbers('float32', [count, 1], labels) };
    const values = await losses(model, data, 60);
    expect(values.at(-1)).toBeLessThan(0.3 * (values[0] as number));
  });
});
