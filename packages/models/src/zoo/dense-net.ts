import { ModelwrightError } from '@modelwright/core';
import { activation } from '../layers/activation-layers.js';
import { dropout } from '../layers/noise.js';
import type { LayeredModel } from '../model/layered-model.js';
import type { SymbolicTensor } from '../symbolic-tensor.js';
import { type ImageLayers, type ImageNetworkOptions, imageNetwork } from './image-network.js';

export interface DenseNetOptions extends Omit<ImageNetworkOptions, 'dropout'> {
  /**
   * Number of layers with weights. 121 (the default), 169, 201 and 264 are the networks for ImageNet; any other is one for
   * CIFAR with three equal blocks: 40, 100, 190, 250 in the paper.
   */
  readonly depth?: number;
  /** Channels that each layer adds. Default 32, for CIFAR 12. */
  readonly growthRate?: number;
  /** Share of the channels that stay between blocks. Default 0.5. */
  readonly reduction?: number;
  /** Whether a 1 × 1 convolution narrows what a layer sees to 4 · growthRate channels. Default true. */
  readonly bottleneck?: boolean;
  /** Share of each layer's output that training drops. Default 0. */
  readonly dropout?: number;
}

const imageNetBlocks: { readonly [depth: number]: readonly number[] } = {
  121: [6, 12, 24, 16],
  169: [6, 12, 32, 32],
  201: [6, 12, 48, 32],
  264: [6, 12, 64, 48],
};

/**
 * A densely connected network: in a block, each layer sees the outputs of all layers before it. DenseNet-BC by default.
 *
 * Input `[batch, height, width, channels]` (named `image`; 224 × 224, for CIFAR's depths 32 × 32), output `[batch, classes]`.
 * Layers are named as in `keras.applications`.
 *
 * @throws {@link ModelwrightError} `invalid-argument` for a depth that three equal blocks cannot have.
 * @see Huang, Liu, van der Maaten and Weinberger, arXiv:1608.06993.
 * @example
 * const small = denseNet({ depth: 100, growthRate: 12 }); // for CIFAR-10, 0.8 M weights
 */
export function denseNet(options: DenseNetOptions = {}): LayeredModel {
  const { depth = 121, reduction = 0.5, bottleneck = true, dropout: rate = 0, ...rest } = options;
  const named = imageNetBlocks[depth];
  const growthRate = options.growthRate ?? (named === undefined ? 12 : 32);
  const plan = { blocks: named ?? cifarBlocks(depth, bottleneck), growthRate, reduction, bottleneck, rate };
  const common = { name: `denseNet${depth}`, classifier: 'predictions', dropout: 0 };
  const defaults = named === undefined ? { ...common, size: 32, classes: 10 } : { ...common, size: 224, classes: 1000 };
  const start = named === undefined ? cifarStem : imageNetStem;
  return imageNetwork(rest, defaults, (image, layers) => body(start(image, layers, plan), layers, plan));
}

interface Plan {
  readonly blocks: readonly number[];
  readonly growthRate: number;
  readonly reduction: number;
  readonly bottleneck: boolean;
  readonly rate: number;
}

function cifarBlocks(depth: number, bottleneck: boolean): readonly number[] {
  const perBlock = (depth - 4) / (bottleneck ? 6 : 3);
  if (Number.isInteger(perBlock) && perBlock > 0) return [perBlock, perBlock, perBlock];
  const rule = bottleneck ? '6n + 4' : '3n + 4';
  const depths = Object.keys(imageNetBlocks).join(', ');
  throw new ModelwrightError(
    'invalid-argument',
    `denseNet: depth is ${depth}; ${depths} or, for CIFAR, ${rule} is expected`,
    { given: depth, allowed: [...Object.keys(imageNetBlocks).map(Number), rule] },
  );
}

type Stem = (image: SymbolicTensor, layers: ImageLayers, plan: Plan) => SymbolicTensor;

const imageNetStem: Stem = (image, layers, { growthRate }) => {
  const filters = 2 * growthRate;
  const stem = layers.conv({ filters, kernelSize: 7, strides: 2, padding: 3, name: 'conv1_conv', ...kernel })(image);
  const ready = rectified(stem, layers, 'conv1_bn');
  return layers.maxPool({ poolSize: 3, strides: 2, padding: 1, name: 'pool1' })(ready);
};

const cifarStem: Stem = (image, layers, { growthRate, bottleneck }) => {
  const filters = bottleneck ? 2 * growthRate : 16;
  return layers.conv({ filters, kernelSize: 3, padding: 'same', name: 'conv1_conv', ...kernel })(image);
};

function body(start: SymbolicTensor, layers: ImageLayers, plan: Plan): SymbolicTensor {
  const end = plan.blocks.reduce((x, count, index) => {
    const block = denseBlock(x, layers, { plan, count, name: `conv${index + 2}` });
    return index === plan.blocks.length - 1 ? block : transition(block, layers, { plan, name: `pool${index + 2}` });
  }, start);
  return rectified(end, layers, 'bn');
}

function denseBlock(
  start: SymbolicTensor,
  layers: ImageLayers,
  { plan, count, name }: { readonly plan: Plan; readonly count: number; readonly name: string },
): SymbolicTensor {
  return Array.from({ length: count }, (_, index) => `${name}_block${index + 1}`).reduce(
    (x, block) => layers.join([x, denseLayer(x, layers, { plan, name: block })], `${block}_concat`),
    start,
  );
}

function denseLayer(
  x: SymbolicTensor,
  layers: ImageLayers,
  { plan, name }: { readonly plan: Plan; readonly name: string },
): SymbolicTensor {
  const { growthRate, bottleneck, rate } = plan;
  let ready = rectified(x, layers, `${name}_0_bn`);
  if (bottleneck) {
    const narrow = layers.conv({ filters: 4 * growthRate, kernelSize: 1, name: `${name}_1_conv`, ...kernel })(ready);
    ready = rectified(narrow, layers, `${name}_1_bn`);
  }
  const last = layers.conv({ filters: growthRate, kernelSize: 3, padding: 'same', name: `${name}_2_conv`, ...kernel });
  return rate === 0 ? last(ready) : dropout({ rate })(last(ready));
}

function transition(
  x: SymbolicTensor,
  layers: ImageLayers,
  { plan, name }: { readonly plan: Plan; readonly name: string },
): SymbolicTensor {
  const filters = Math.floor(layers.channelsOf(x) * plan.reduction);
  const ready = rectified(x, layers, `${name}_bn`);
  const fewer = layers.conv({ filters, kernelSize: 1, name: `${name}_conv`, ...kernel })(ready);
  return layers.averagePool({ poolSize: 2, name: `${name}_pool` })(fewer);
}

const kernel = { useBias: false, kernelInitializer: 'heNormal' } as const;

function rectified(x: SymbolicTensor, layers: ImageLayers, name: string): SymbolicTensor {
  return activation('relu')(layers.normalize({ epsilon: 1.001e-5, name })(x));
}
