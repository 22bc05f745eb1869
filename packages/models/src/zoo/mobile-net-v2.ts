import { reLU } from '../layers/activation-layers.js';
import { add } from '../layers/merging.js';
import type { LayeredModel } from '../model/layered-model.js';
import type { SymbolicTensor } from '../symbolic-tensor.js';
import { type ImageLayers, type ImageNetworkOptions, imageNetwork, scaledChannels } from './image-network.js';

export interface MobileNetV2Options extends ImageNetworkOptions {
  /** Width multiplier: how many times as many channels as in the paper. Default 1. */
  readonly alpha?: number;
}

/** Expansion, channels, number of blocks, stride of the first: table 2 of the paper. */
const stages = [
  [1, 16, 1, 1],
  [6, 24, 2, 2],
  [6, 32, 3, 2],
  [6, 64, 4, 2],
  [6, 96, 3, 1],
  [6, 160, 3, 2],
  [6, 320, 1, 1],
] as const;

/**
 * MobileNetV2, for devices of little power: blocks widen, convolve each channel by itself, and narrow again without an activation.
 *
 * Input `[batch, height, width, channels]` (named `image`, 224 × 224), output `[batch, classes]`. Layers are named as in
 * `keras.applications`, which takes pixels in [−1, 1].
 *
 * @see Sandler, Howard, Zhu, Zhmoginov and Chen, arXiv:1801.04381.
 * @example
 * const features = mobileNetV2({ alpha: 0.35, inputShape: [96, 96, 3], includeTop: false, pooling: 'avg' });
 */
export function mobileNetV2(options: MobileNetV2Options = {}): LayeredModel {
  const { alpha = 1 } = options;
  const defaults = { name: 'mobileNetV2', size: 224, classes: 1000, dropout: 0, classifier: 'predictions' };
  return imageNetwork(options, defaults, (image, layers) => body(image, layers, alpha));
}

function body(image: SymbolicTensor, layers: ImageLayers, alpha: number): SymbolicTensor {
  const filters = scaledChannels(32 * alpha);
  const stem = layers.conv({ filters, kernelSize: 3, strides: 2, padding: 'same', name: 'Conv1', ...kernel })(image);
  let x = clipped(normalized(stem, layers, 'bn_Conv1'), 'Conv1_relu');
  let number = 0;
  for (const [expansion, channels, count, firstStrides] of stages) {
    for (let block = 0; block < count; block++) {
      const prefix = number === 0 ? 'expanded_conv' : `block_${number}`;
      const strides = block === 0 ? firstStrides : 1;
      x = invertedResidual(x, layers, { prefix, expansion, filters: scaledChannels(channels * alpha), strides });
      number++;
    }
  }
  const last = alpha > 1 ? scaledChannels(1280 * alpha) : 1280;
  const wide = layers.conv({ filters: last, kernelSize: 1, name: 'Conv_1', ...kernel })(x);
  return clipped(normalized(wide, layers, 'Conv_1_bn'), 'out_relu');
}

interface BlockOptions {
  readonly prefix: string;
  readonly expansion: number;
  readonly filters: number;
  readonly strides: number;
}

function invertedResidual(
  x: SymbolicTensor,
  layers: ImageLayers,
  { prefix, expansion, filters, strides }: BlockOptions,
): SymbolicTensor {
  const channels = layers.channelsOf(x);
  const wide = expansion === 1 ? x : expanded(x, layers, { prefix, filters: expansion * channels });
  const depthwise = layers.depthwise({
    kernelSize: 3,
    strides,
    padding: 'same',
    useBias: false,
    depthwiseInitializer: 'heNormal',
    name: `${prefix}_depthwise`,
  })(wide);
  const filtered = clipped(normalized(depthwise, layers, `${prefix}_depthwise_BN`), `${prefix}_depthwise_relu`);
  const narrow = layers.conv({ filters, kernelSize: 1, name: `${prefix}_project`, ...kernel })(filtered);
  const change = normalized(narrow, layers, `${prefix}_project_BN`);
  return channels === filters && strides === 1 ? add({ name: `${prefix}_add` })([x, change]) : change;
}

function expanded(
  x: SymbolicTensor,
  layers: ImageLayers,
  { prefix, filters }: { readonly prefix: string; readonly filters: number },
): SymbolicTensor {
  const wide = layers.conv({ filters, kernelSize: 1, name: `${prefix}_expand`, ...kernel })(x);
  return clipped(normalized(wide, layers, `${prefix}_expand_BN`), `${prefix}_expand_relu`);
}

const kernel = { useBias: false, kernelInitializer: 'heNormal' } as const;

function normalized(x: SymbolicTensor, layers: ImageLayers, name: string): SymbolicTensor {
  return layers.normalize({ epsilon: 1e-3, momentum: 0.999, name })(x);
}

function clipped(x: SymbolicTensor, name: string): SymbolicTensor {
  return reLU({ maxValue: 6, name })(x);
}
