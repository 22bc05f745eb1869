import type { ActivationLike } from '../activations.js';
import type { InputShape, Layer } from '../layer.js';
import { type ConvolutionOptions, conv2d } from '../layers/convolution.js';
import { dense } from '../layers/dense.js';
import { type DepthwiseOptions, depthwiseConv2d } from '../layers/depthwise-convolution.js';
import { globalAveragePooling2d, globalMaxPooling2d } from '../layers/global-pooling.js';
import { concatenate } from '../layers/merging.js';
import { dropout } from '../layers/noise.js';
import { type BatchNormalizationOptions, batchNormalization } from '../layers/normalization.js';
import { averagePooling2d, maxPooling2d, type PoolingOptions } from '../layers/pooling.js';
import type { DataFormat } from '../layers/spatial.js';
import { input, model } from '../model/functional.js';
import type { LayeredModel } from '../model/layered-model.js';
import type { SymbolicTensor } from '../symbolic-tensor.js';
import type { ZooOptions } from './zoo-options.js';

/** What networks that classify images take. */
export interface ImageNetworkOptions extends ZooOptions {
  /** `[height, width, channels]`, or `[channels, height, width]` for `channelsFirst`; `null` where any size is to do. */
  readonly inputShape?: InputShape;
  /** Default 1000, ImageNet's; 10 for the networks of CIFAR. */
  readonly classes?: number;
  /** Whether the classifier stands on top. Default true. */
  readonly includeTop?: boolean;
  /** What comes out without the top: means or maxima of the features, or (the default) all of them in place. */
  readonly pooling?: 'avg' | 'max';
  /** Default softmax. */
  readonly classifierActivation?: ActivationLike;
  /** Share of the features that training drops before the classifier. */
  readonly dropout?: number;
  /** Default `channelsLast`. */
  readonly dataFormat?: DataFormat;
}

/** Layers of one data format, as networks of images are written with. */
export interface ImageLayers {
  conv(options: ConvolutionOptions): Layer;
  depthwise(options: DepthwiseOptions): Layer;
  normalize(options?: BatchNormalizationOptions): Layer;
  maxPool(options: PoolingOptions): Layer;
  averagePool(options: PoolingOptions): Layer;
  globalAverage(): Layer;
  globalMax(): Layer;
  /** Side by side along the channels. */
  join(tensors: readonly SymbolicTensor[], name?: string): SymbolicTensor;
  /** How many channels a tensor has. */
  channelsOf(tensor: SymbolicTensor): number;
  /** Where the channels stand in a tensor of that rank. */
  channelsAxis(rank: number): number;
}

/** The layers of a data format. */
export function imageLayers(dataFormat: DataFormat = 'channelsLast'): ImageLayers {
  const axis = dataFormat === 'channelsLast' ? -1 : 1;
  return {
    conv: (options) => conv2d({ ...options, dataFormat }),
    depthwise: (options) => depthwiseConv2d({ ...options, dataFormat }),
    normalize: (options = {}) => batchNormalization({ ...options, axis }),
    maxPool: (options) => maxPooling2d({ ...options, dataFormat }),
    averagePool: (options) => averagePooling2d({ ...options, dataFormat }),
    globalAverage: () => globalAveragePooling2d({ dataFormat }),
    globalMax: () => globalMaxPooling2d({ dataFormat }),
    join: (tensors, name) => concatenate({ axis, ...(name === undefined ? {} : { name }) })(tensors),
    channelsOf: ({ shape }) => shape.at(axis) as number,
    channelsAxis: (rank) => (axis + rank) % rank,
  };
}

/** What a family of networks is when the user says nothing. */
export interface ImageNetworkDefaults {
  readonly name: string;
  /** Extent of the square images. */
  readonly size: number;
  readonly classes: number;
  readonly dropout: number;
  /** Name of the classifier. */
  readonly classifier: string;
}

/**
 * A network of images: input, what `body` makes of it, and the top (global mean, dropout, dense) or what stands in its place.
 */
export function imageNetwork(
  options: ImageNetworkOptions,
  defaults: ImageNetworkDefaults,
  body: (image: SymbolicTensor, layers: ImageLayers) => SymbolicTensor,
): LayeredModel {
  const { name = defaults.name, seed = 0, dataFormat = 'channelsLast', includeTop = true } = options;
  const { size } = defaults;
  const usual = dataFormat === 'channelsLast' ? [size, size, 3] : [3, size, size];
  const image = input({ shape: options.inputShape ?? usual, name: 'image' });
  const layers = imageLayers(dataFormat);
  const features = body(image, layers);
  const output = includeTop ? classify(features, layers, { ...defaults, ...options }) : pool(features, layers, options);
  return model({ name, seed, inputs: image, outputs: output });
}

function classify(
  features: SymbolicTensor,
  layers: ImageLayers,
  options: ImageNetworkOptions & ImageNetworkDefaults,
): SymbolicTensor {
  const { classes, dropout: rate, classifier: name, classifierActivation: activation = 'softmax' } = options;
  const means = layers.globalAverage()(features);
  const kept = rate === 0 ? means : dropout({ rate })(means);
  return dense({ units: classes, activation, name })(kept);
}

function pool(features: SymbolicTensor, layers: ImageLayers, { pooling }: ImageNetworkOptions): SymbolicTensor {
  if (pooling === undefined) return features;
  return (pooling === 'avg' ? layers.globalAverage() : layers.globalMax())(features);
}

/**
 * `channels` times a width multiplier, rounded to a multiple of `divisor`, by no more than a tenth down.
 *
 * @see Sandler et al., arXiv:1801.04381, and the code that came with it.
 */
export function scaledChannels(channels: number, divisor = 8): number {
  const rounded = Math.max(divisor, Math.floor((channels + divisor / 2) / divisor) * divisor);
  return rounded < 0.9 * channels ? rounded + divisor : rounded;
}
