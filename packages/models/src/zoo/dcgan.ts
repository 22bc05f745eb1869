import { ModelwrightError } from '@modelwright/core';
import { randomNormal } from '../initializers/standard.js';
import type { Layer } from '../layer.js';
import { activation, leakyReLU } from '../layers/activation-layers.js';
import { conv2d } from '../layers/convolution.js';
import { dense } from '../layers/dense.js';
import { batchNormalization } from '../layers/normalization.js';
import { flatten, reshape } from '../layers/reshaping.js';
import { conv2dTranspose } from '../layers/transposed-convolution.js';
import type { LayeredModel } from '../model/layered-model.js';
import { sequential } from '../model/sequential.js';
import type { ZooOptions } from './zoo-options.js';

export interface DcganOptions extends Omit<ZooOptions, 'name'> {
  /** `[height, width, channels]`: even, so that they can be halved. Default `[64, 64, 3]`. */
  readonly imageShape?: readonly [number, number, number];
  /** Length of the noise that images are made of. Default 100. */
  readonly latentSize?: number;
  /** Filters of the convolutions at the largest scale, doubled at each smaller one. Default 64. */
  readonly filters?: number;
}

/** Two networks that play against each other. */
export interface Dcgan {
  /** Noise `[batch, latentSize]` → images `[batch, height, width, channels]` in [−1, 1]. */
  readonly generator: LayeredModel;
  /** Images in [−1, 1] → probability that they are real `[batch, 1]`. */
  readonly discriminator: LayeredModel;
}

/**
 * Deep convolutional generative adversarial networks: a generator that paints images of noise and a discriminator that tells
 * them from real ones. For 64 × 64 × 3: 3,576,704 and 2,765,568 trainable weights.
 *
 * The paper trains both with Adam, learning rate 0.0002 and beta1 0.5, by turns: `createJointTrainer` of
 * `@modelwright/training` does that.
 *
 * @throws {@link ModelwrightError} `invalid-argument` for images that cannot be halved.
 * @see Radford, Metz and Chintala, arXiv:1511.06434.
 * @example
 * const { generator, discriminator } = dcgan({ imageShape: [28, 28, 1], latentSize: 64, filters: 32 });
 */
export function dcgan(options: DcganOptions = {}): Dcgan {
  const { imageShape = [64, 64, 3], latentSize = 100, filters = 64, seed = 0 } = options;
  const scales = scalesOf(imageShape);
  const plan = { imageShape, latentSize, filters, seed, scales };
  return { generator: generatorOf(plan), discriminator: discriminatorOf(plan) };
}

interface Plan {
  readonly imageShape: readonly [number, number, number];
  readonly latentSize: number;
  readonly filters: number;
  readonly seed: number;
  /** How often images are halved. */
  readonly scales: number;
}

// Down to 4, or to an odd number: 64 → 4, 28 → 7.
function scalesOf([height, width]: readonly [number, number, number]): number {
  const halvings = (extent: number): number => (extent % 2 === 0 && extent >= 8 ? 1 + halvings(extent / 2) : 0);
  const scales = Math.min(halvings(height), halvings(width));
  if (scales > 0) return scales;
  throw new ModelwrightError(
    'invalid-argument',
    `dcgan: images of ${height} × ${width} cannot be halved; even numbers from 8 on are expected`,
    { given: [height, width] },
  );
}

function generatorOf({ imageShape, latentSize, filters, seed, scales }: Plan): LayeredModel {
  const [height, width, channels] = imageShape;
  const deepest = filters * 2 ** (scales - 1);
  const targetShape = [height / 2 ** scales, width / 2 ** scales, deepest];
  const units = targetShape.reduce((product, extent) => product * extent, 1);
  const steps = Array.from({ length: scales - 1 }, (_, index) => deepest / 2 ** (index + 1));
  return sequential({
    name: 'generator',
    seed,
    inputShape: [latentSize],
    inputName: 'noise',
    outputName: 'image',
    layers: [
      dense({ units, ...kernel }),
      reshape({ targetShape }),
      normalized(),
      activation('relu'),
      ...steps.flatMap((count) => [enlarge(count), normalized(), activation('relu')]),
      enlarge(channels),
      activation('tanh'),
    ],
  });
}

function discriminatorOf({ imageShape, filters, seed, scales }: Plan): LayeredModel {
  const steps = Array.from({ length: scales }, (_, index) => filters * 2 ** index);
  return sequential({
    name: 'discriminator',
    seed,
    inputShape: imageShape,
    inputName: 'image',
    outputName: 'real',
    layers: [
      ...steps.flatMap((count, index) => [
        conv2d({ filters: count, kernelSize: 4, strides: 2, padding: 'same', ...kernel }),
        ...(index === 0 ? [] : [normalized()]),
        leakyReLU({ negativeSlope: 0.2 }),
      ]),
      flatten(),
      dense({ units: 1, activation: 'sigmoid', ...kernel }),
    ],
  });
}

const kernel = { useBias: false, kernelInitializer: randomNormal({ stddev: 0.02 }) } as const;

function enlarge(filters: number): Layer {
  return conv2dTranspose({ filters, kernelSize: 4, strides: 2, padding: 'same', ...kernel });
}

function normalized(): Layer {
  return batchNormalization({
    epsilon: 1e-5,
    momentum: 0.9,
    gammaInitializer: randomNormal({ mean: 1, stddev: 0.02 }),
  });
}
