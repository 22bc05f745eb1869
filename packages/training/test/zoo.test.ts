import { createBackend } from '@modelwright/backend-onnxruntime';
import { type Backend, createReferenceBackend, fromNumbers, type Model, Tensor } from '@modelwright/core';
import {
  autoencoder,
  bidirectionalLstmCtc,
  dcgan,
  denseNet,
  inceptionV3,
  lenet5,
  mlp,
  mobileNetV2,
  resnet,
  seq2seq,
  textCnn,
  variationalAutoencoder,
} from '@modelwright/models';
import { adam, createJointTrainer, createTrainer, sparseCategoricalCrossentropy } from '@modelwright/training';
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

  test('bidirectionalLstmCtc labels sequences of different lengths', async () => {
    const [count, steps] = [8, 12];
    const labels = Array.from({ length: count }, (_, row) => [1 + (row % 3), 1 + ((row + 1 + (row % 2)) % 3)]);
    // Each label is a stretch of its own feature; the second half of the rows ends four steps earlier.
    const numbers = labels.flatMap((pair, row) =>
      Array.from({ length: steps }, (_, step) => {
        const length = row < count / 2 ? steps : steps - 4;
        const label = step >= length ? 0 : (pair[step < length / 2 ? 0 : 1] as number);
        return [1, 2, 3].map((each) => (each === label ? 1 : step >= length ? 0 : 0.1));
      }).flat(),
    );
    const data = {
      x: fromNumbers('float32', [count, steps, 3], numbers),
      y: fromNumbers('int32', [count, 2], labels.flat()),
    };
    const model = bidirectionalLstmCtc({ features: 3, classes: 4, units: 8 });
    const trainer = await createTrainer(model, { backend, optimizer: adam({ learningRate: 0.05 }), loss: 'ctc' });
    const history = await trainer.fit(data, { epochs: 40, batchSize: count, verbose: 0 });
    const values = history.values['loss'] as number[];
    expect(values.at(-1)).toBeLessThan(0.2 * (values[0] as number));
    await trainer.dispose();
  });

  test('seq2seq writes sequences backwards', async () => {
    const [count, steps] = [16, 5];
    const sources = Array.from({ length: count }, (_, row) =>
      Array.from({ length: steps }, (_unused, step) => 2 + ((row * 5 + step * (1 + (row % 4))) % 6)),
    );
    const reversed = sources.map((row) => [...row].reverse());
    const inputs = {
      source: fromNumbers('int32', [count, steps], sources.flat()),
      // 1 begins.
      target: fromNumbers(
        'int32',
        [count, steps],
        reversed.flatMap((row) => [1, ...row.slice(0, -1)]),
      ),
    };
    const targets = fromNumbers('int32', [count, steps], reversed.flat());
    const model = seq2seq({
      sourceVocabularySize: 8,
      targetVocabularySize: 8,
      embeddingSize: 12,
      units: 24,
      dropout: 0.05,
    });
    const loss = sparseCategoricalCrossentropy({ fromLogits: true });
    const trainer = await createTrainer(model, { backend, optimizer: adam({ learningRate: 0.02 }), loss });
    const before = (await trainer.trainOnBatch({ inputs, targets }))['loss'] as number;
    for (let step = 0; step < 60; step++) await trainer.trainOnBatch({ inputs, targets });
    expect((await trainer.testOnBatch({ inputs, targets }))['loss']).toBeLessThan(0.4 * before);
    await trainer.dispose();
  });

  test('dcgan, by turns: each network’s loss falls when it is alone, as on the reference', async () => {
    const traces = [];
    for (const on of [backend, createReferenceBackend()]) {
      const { generator, discriminator } = dcgan({ imageShape: [8, 8, 1], latentSize: 4, filters: 4 });
      const trainer = createJointTrainer({
        backend: on,
        models: { generator, discriminator },
        steps: {
          discriminator: {
            trains: 'discriminator',
            optimizer: adam({ learningRate: 0.01, beta1: 0.5 }),
            loss: ({ apply, meanLoss, arithmetic, input }) =>
              arithmetic.add(
                meanLoss('binaryCrossentropy', apply('discriminator', input('real')), 1),
                meanLoss('binaryCrossentropy', apply('discriminator', apply('generator', input('noise'))), 0),
              ),
          },
          generator: {
            trains: 'generator',
            optimizer: adam({ learningRate: 0.01, beta1: 0.5 }),
            loss: ({ apply, meanLoss, input }) =>
              meanLoss('binaryCrossentropy', apply('discriminator', apply('generator', input('noise'))), 1),
          },
        },
      });
      const real = images([8, 8, 1], 2, 6).x;
      const noise = fromNumbers(
        'float32',
        [6, 4],
        Array.from({ length: 24 }, (_, index) => Math.sin(index)),
      );
      const trace: number[] = [];
      for (let step = 0; step < 4; step++) trace.push((await trainer.run('discriminator', { real, noise })).loss);
      for (let step = 0; step < 4; step++) trace.push((await trainer.run('generator', { noise })).loss);
      await trainer.dispose();
      traces.push(trace);
    }
    const [trace, expected] = traces as [number[], number[]];
    trace.forEach((loss, index) => {
      expect(loss).toBeCloseTo(expected[index] as number, 3);
    });
    expect(trace[3]).toBeLessThan(trace[0] as number);
    expect(trace[7]).toBeLessThan(trace[4] as number);
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
