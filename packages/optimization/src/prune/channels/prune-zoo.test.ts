import { createReferenceBackend, type Model, tensor } from '@modelwright/core';
import { bertEncoder, denseNet, gpt, inceptionV3, mobileNetV2, resnet } from '@modelwright/models';
import { adam, createTrainer, sparseCategoricalCrossentropy } from '@modelwright/training';
import { describe, expect, test } from 'vitest';
import { comparePruned, shakeWeights } from './channels.cases.js';
import { removeChannels } from './remove-channels.js';
import type { SelectChannelsOptions } from './select-channels.js';

const image = (side: number) => ({ image: [2, side, side, 3] });
const tokens = { tokens: [2, 6] };

const networks: readonly {
  readonly name: string;
  readonly model: () => Model;
  readonly shapes: { readonly [input: string]: readonly number[] };
  readonly options?: SelectChannelsOptions;
  /** Share of the parameters that may be left. */
  readonly left: number;
}[] = [
  {
    name: 'resnet20',
    model: () => resnet({ depth: 20, baseFilters: 4, inputShape: [16, 16, 3] }),
    shapes: image(16),
    left: 0.3,
  },
  {
    name: 'denseNet',
    model: () => denseNet({ depth: 22, growthRate: 4, inputShape: [16, 16, 3] }),
    shapes: image(16),
    left: 0.4,
  },
  {
    name: 'mobileNetV2',
    model: () => mobileNetV2({ alpha: 0.1, inputShape: [32, 32, 3], classes: 5 }),
    shapes: image(32),
    left: 0.45,
  },
  {
    name: 'inceptionV3',
    model: () => inceptionV3({ alpha: 0.03, inputShape: [75, 75, 3], classes: 5 }),
    shapes: image(75),
    left: 0.4,
  },
  {
    name: 'gpt',
    model: () => gpt({ vocabularySize: 11, sequenceLength: 8, layers: 2, heads: 4, width: 16 }),
    shapes: tokens,
    left: 0.65,
  },
  {
    name: 'gpt, narrow',
    model: () => gpt({ vocabularySize: 11, sequenceLength: 8, layers: 2, heads: 4, width: 16 }),
    shapes: tokens,
    options: { width: true },
    left: 0.35,
  },
  {
    name: 'gpt, rotary',
    model: () => gpt({ vocabularySize: 11, sequenceLength: 8, layers: 1, heads: 4, width: 16, positions: 'rotary' }),
    shapes: tokens,
    left: 0.7,
  },
  {
    name: 'bert',
    model: () => bertEncoder({ vocabularySize: 11, sequenceLength: 8, layers: 1, heads: 4, width: 16 }),
    shapes: { ...tokens, segments: [2, 6] },
    left: 0.75,
  },
];

describe('half of the channels of each network', () => {
  for (const { name, model, shapes, options, left } of networks) {
    test(name, async () => {
      const network = model();
      shakeWeights(network);
      const { pruned, difference, largest } = await comparePruned(network, { ratio: 0.5, ...options }, shapes);
      expect(pruned.parameterCount / network.parameterCount).toBeLessThan(left);
      expect(largest).toBeGreaterThan(0);
      expect(difference / Math.max(1, largest)).toBeLessThan(1e-5);
      expect(pruned.parameters.map((parameter) => parameter.name)).toEqual(
        network.parameters.map((parameter) => parameter.name),
      );
    });
  }
});

test('a language model without half of its heads and features learns on, dropout included', async () => {
  const network = gpt({ vocabularySize: 7, sequenceLength: 5, layers: 1, heads: 2, width: 8, dropout: 0.1 });
  const pruned = await removeChannels(network, { ratio: 0.5, width: true });
  const x = tensor([1, 2, 3, 4, 5, 2, 3, 4, 5, 6], { shape: [2, 5], dtype: 'int32' });
  const y = tensor([2, 3, 4, 5, 6, 3, 4, 5, 6, 0], { shape: [2, 5], dtype: 'int32' });
  const trainer = await createTrainer(pruned, {
    backend: createReferenceBackend(),
    optimizer: adam({ learningRate: 0.02 }),
    loss: sparseCategoricalCrossentropy({ fromLogits: true }),
  });
  const before = (await trainer.evaluate({ x, y })).loss as number;
  await trainer.fit({ x, y }, { epochs: 8, batchSize: 2, verbose: 0 });
  expect((await trainer.evaluate({ x, y })).loss).toBeLessThan(before * 0.9);
  await trainer.dispose();
});
