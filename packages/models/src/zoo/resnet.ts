import { ModelwrightError } from '@modelwright/core';
import { activation } from '../layers/activation-layers.js';
import { add } from '../layers/merging.js';
import type { LayeredModel } from '../model/layered-model.js';
import type { SymbolicTensor } from '../symbolic-tensor.js';
import { type ImageLayers, type ImageNetworkOptions, imageNetwork } from './image-network.js';
import { cifarResnetBody } from './resnet-cifar.js';
import { kerasResnetBody } from './resnet-keras.js';

/** Depths of networks for ImageNet, and of the small ones for CIFAR. */
export type ResnetDepth = 18 | 34 | 50 | 101 | 152 | 20 | 32 | 44 | 56 | 110;

export interface ResnetOptions extends ImageNetworkOptions {
  /** Number of layers with weights. Default 50. */
  readonly depth?: ResnetDepth;
  /**
   * Of the 50, 101 and 152 layers: `torchvision` scales down in the 3 × 3 convolution of a block and has no biases under its
   * normalizations; `keras` scales down in the first one and has them. Weights are named as they are there. Default
   * `torchvision`.
   */
  readonly variant?: 'torchvision' | 'keras';
  /** Filters of the first stage, doubled from stage to stage. Default 64, for CIFAR 16. */
  readonly baseFilters?: number;
}

/** Blocks of each of the four stages. */
const stages: { readonly [depth: number]: readonly [number, number, number, number] } = {
  18: [2, 2, 2, 2],
  34: [3, 4, 6, 3],
  50: [3, 4, 6, 3],
  101: [3, 4, 23, 3],
  152: [3, 8, 36, 3],
};
const cifarDepths = [20, 32, 44, 56, 110];

/**
 * A residual network: each block adds what it has computed to what it was given.
 *
 * Depths 18, 34 (blocks of two convolutions), 50, 101 and 152 (bottlenecks of three) are the paper's for ImageNet, 224 × 224 and
 * 1000 classes by default; 20, 32, 44, 56 and 110 those for CIFAR, 32 × 32 and 10 classes.
 *
 * Input `[batch, height, width, channels]` (named `image`), output `[batch, classes]`.
 *
 * @throws {@link ModelwrightError} `invalid-argument` for another depth.
 * @see He, Zhang, Ren and Sun, arXiv:1512.03385.
 * @example
 * const network = resnet({ depth: 18, inputShape: [64, 64, 3], classes: 5 });
 */
export function resnet(options: ResnetOptions = {}): LayeredModel {
  const { depth = 50, variant = 'torchvision' } = options;
  const imageNet = { name: `resnet${depth}`, size: 224, classes: 1000, dropout: 0 };
  if (cifarDepths.includes(depth)) {
    const blocks = (depth - 2) / 6;
    const defaults = { ...imageNet, size: 32, classes: 10, classifier: 'classifier' };
    return imageNetwork(options, defaults, (image, layers) =>
      cifarResnetBody(image, layers, { blocks, filters: options.baseFilters ?? 16 }),
    );
  }
  const counts = stages[depth];
  if (counts === undefined) throw unknownDepth(depth);
  const { baseFilters: filters = 64 } = options;
  if (variant === 'keras' && depth >= 50) {
    const defaults = { ...imageNet, classifier: 'predictions' };
    return imageNetwork(options, defaults, (image, layers) => kerasResnetBody(image, layers, { counts, filters }));
  }
  const block = depth >= 50 ? bottleneck : basicBlock;
  return imageNetwork(options, { ...imageNet, classifier: 'fc' }, (image, layers) =>
    resnetBody(image, layers, { counts, block, filters }),
  );
}

interface Block {
  /** `layer2.0` */
  readonly name: string;
  readonly filters: number;
  readonly strides: number;
}

type BuildBlock = (x: SymbolicTensor, layers: ImageLayers, block: Block) => SymbolicTensor;

function resnetBody(
  image: SymbolicTensor,
  layers: ImageLayers,
  {
    counts,
    block,
    filters,
  }: { readonly counts: readonly number[]; readonly block: BuildBlock; readonly filters: number },
): SymbolicTensor {
  const stem = convolved(image, layers, { name: ['conv1', 'bn1'], filters, kernelSize: 7, strides: 2 });
  const start = layers.maxPool({ poolSize: 3, strides: 2, padding: 1 })(activation('relu')(stem));
  return counts.reduce(
    (stage, count, index) =>
      Array.from({ length: count }, (_, number) => number).reduce(
        (x, number) =>
          block(x, layers, {
            name: `layer${index + 1}.${number}`,
            filters: filters * 2 ** index,
            strides: number === 0 && index > 0 ? 2 : 1,
          }),
        stage,
      ),
    start,
  );
}

const basicBlock: BuildBlock = (x, layers, { name, filters, strides }) => {
  const first = convolved(x, layers, { name: [`${name}.conv1`, `${name}.bn1`], filters, kernelSize: 3, strides });
  const second = convolved(activation('relu')(first), layers, {
    name: [`${name}.conv2`, `${name}.bn2`],
    filters,
    kernelSize: 3,
  });
  return joined(layers, { x, change: second, name, filters, strides });
};

const bottleneck: BuildBlock = (x, layers, { name, filters, strides }) => {
  const narrow = convolved(x, layers, { name: [`${name}.conv1`, `${name}.bn1`], filters, kernelSize: 1 });
  const middle = convolved(activation('relu')(narrow), layers, {
    name: [`${name}.conv2`, `${name}.bn2`],
    filters,
    kernelSize: 3,
    strides,
  });
  const wide = convolved(activation('relu')(middle), layers, {
    name: [`${name}.conv3`, `${name}.bn3`],
    filters: 4 * filters,
    kernelSize: 1,
  });
  return joined(layers, { x, change: wide, name, filters: 4 * filters, strides });
};

// The shortcut is a projection where the block changes the shape.
function joined(
  layers: ImageLayers,
  { x, change, name, filters, strides }: Block & { readonly x: SymbolicTensor; readonly change: SymbolicTensor },
): SymbolicTensor {
  const same = strides === 1 && layers.channelsOf(x) === filters;
  const names = [`${name}.downsample.0`, `${name}.downsample.1`] as const;
  const shortcut = same ? x : convolved(x, layers, { name: names, filters, kernelSize: 1, strides });
  return activation('relu')(add()([change, shortcut]));
}

interface ConvolvedOptions {
  /** Of the convolution and of the normalization. */
  readonly name: readonly [string, string];
  readonly filters: number;
  readonly kernelSize: number;
  readonly strides?: number;
}

function convolved(
  x: SymbolicTensor,
  layers: ImageLayers,
  { name: [conv, norm], filters, kernelSize, strides = 1 }: ConvolvedOptions,
): SymbolicTensor {
  const padding = (kernelSize - 1) / 2;
  const kernel = { useBias: false, kernelInitializer: 'heNormal' } as const;
  const features = layers.conv({ filters, kernelSize, strides, padding, name: conv, ...kernel })(x);
  return layers.normalize({ epsilon: 1e-5, momentum: 0.9, name: norm })(features);
}

function unknownDepth(depth: number): ModelwrightError {
  const allowed = [...Object.keys(stages).map(Number), ...cifarDepths];
  return new ModelwrightError(
    'invalid-argument',
    `resnet: there is no ResNet of ${depth} layers; there are ${allowed.join(', ')}`,
    { given: depth, allowed },
  );
}
