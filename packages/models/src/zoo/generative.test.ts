import { createPredictor, createReferenceBackend, fromNumbers, type Model, toNumbers } from '@modelwright/core';
import { describe, expect, test } from 'vitest';
import { autoencoder, dcgan, variationalAutoencoder } from '../index.js';

const backend = createReferenceBackend();

const trainableCount = (model: Model): number =>
  model.parameters.reduce((sum, each) => sum + (each.trainable ? model.weightOf(each).elementCount : 0), 0);

describe('autoencoder', () => {
  test.each([
    ['dense', autoencoder({ inputShape: [6], hiddenUnits: [5], latentSize: 2 })],
    ['convolutional', autoencoder({ inputShape: [8, 4, 3], filters: [3, 5], hiddenUnits: [7], latentSize: 2 })],
    ['variational', variationalAutoencoder({ inputShape: [8, 8, 1], filters: [4], latentSize: 2 })],
  ])('%s: the halves together are the whole, with its weights', async (_, whole) => {
    whole.setWeights(
      Object.fromEntries(
        whole.parameters.map((each, place) => {
          const count = whole.weightOf(each).elementCount;
          const numbers = Array.from({ length: count }, (_unused, index) => 0.3 * Math.sin(index + place));
          return [each.name, fromNumbers('float32', each.value.shape as number[], numbers)];
        }),
      ),
    );
    const shape = whole.graph.inputs[0]?.shape.slice(1) as number[];
    const count = shape.reduce((product, extent) => product * extent, 2);
    const example = fromNumbers(
      'float32',
      [2, ...shape],
      Array.from({ length: count }, (_unused, index) => Math.cos(index)),
    );
    const [all, encoder, decoder] = await Promise.all(
      [whole, whole.encoder(), whole.decoder()].map((model) => createPredictor(model, backend)),
    );
    const codes = await encoder?.predict(example);
    const code = codes?.['code'] ?? codes?.['mean'];
    expect(code?.shape).toEqual([2, 2]);
    const { reconstruction } = (await all?.predict(example)) ?? {};
    expect(reconstruction?.shape).toEqual(example.shape);
    expect((await decoder?.predict(code as never))?.['reconstruction']).toEqual(reconstruction);
  });

  test('an image that cannot be halved so often is refused', () => {
    expect(() => autoencoder({ filters: [8, 8, 8] })).toThrow('multiples of 8 is expected');
  });
});

describe('variationalAutoencoder', () => {
  test('has the parameters of Keras’s example', () => {
    const network = variationalAutoencoder({ filters: [32, 64], hiddenUnits: [16], latentSize: 2 });
    expect(network.encoder().parameterCount).toBe(69_076);
    expect(network.decoder().parameterCount).toBe(65_089);
  });

  test('its own loss is the divergence from the standard normal distribution', async () => {
    const network = variationalAutoencoder({ inputShape: [3], hiddenUnits: [4], latentSize: 2, klWeight: 1 });
    const [own] = network.losses;
    expect(own?.name).toBe('latent.klDivergence');
    const graph = { ...network.graph, outputs: [{ name: 'own', value: own?.value as never }] };
    const executable = await backend.compile({ graph, state: [] });
    const example = fromNumbers('float32', [1, 3], [0.5, -1, 2]);
    const { own: loss } = await executable.run({ input: example });
    const encoder = await createPredictor(network.encoder(), backend);
    const { mean, logVariance } = await encoder.predict(example);
    const [mu, log] = [toNumbers(mean as never), toNumbers(logVariance as never)];
    const expected = [0, 1].reduce(
      (sum, index) =>
        sum - 0.5 * (1 + (log[index] as number) - (mu[index] as number) ** 2 - Math.exp(log[index] as number)),
      0,
    );
    expect(toNumbers(loss as never)[0]).toBeCloseTo(expected, 6);
  });
});

describe('dcgan', () => {
  test('has the trainable weights of PyTorch’s example', () => {
    const { generator, discriminator } = dcgan();
    expect(trainableCount(generator)).toBe(3_576_704);
    expect(trainableCount(discriminator)).toBe(2_765_568);
  });

  test('paints images of the size asked for, and judges them', async () => {
    const { generator, discriminator } = dcgan({ imageShape: [28, 20, 1], latentSize: 5, filters: 4 });
    expect(generator.graph.outputs[0]?.value.shape).toEqual(['batch', 28, 20, 1]);
    const noise = fromNumbers(
      'float32',
      [2, 5],
      Array.from({ length: 10 }, (_, index) => Math.sin(index)),
    );
    const { image } = await (await createPredictor(generator, backend)).predict(noise);
    const { real } = await (await createPredictor(discriminator, backend)).predict(image as never);
    expect(real?.shape).toEqual([2, 1]);
    expect(toNumbers(image as never).every((pixel) => Math.abs(pixel) <= 1)).toBe(true);
  });

  test('images that cannot be halved are refused', () => {
    expect(() => dcgan({ imageShape: [9, 9, 1] })).toThrow('images of 9 × 9 cannot be halved');
  });
});
