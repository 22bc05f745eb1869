import type { ActivationLike } from '../activations.js';
import type { InputShape } from '../layer.js';
import { conv2d } from '../layers/convolution.js';
import { dense } from '../layers/dense.js';
import { averagePooling2d, maxPooling2d } from '../layers/pooling.js';
import { flatten } from '../layers/reshaping.js';
import type { DataFormat, Padding } from '../layers/spatial.js';
import type { LayeredModel } from '../model/layered-model.js';
import { sequential } from '../model/sequential.js';
import type { ZooOptions } from './zoo-options.js';

export interface LeNet5Options extends ZooOptions {
  /** Default `[28, 28, 1]`. */
  readonly inputShape?: InputShape;
  /** Default 10. */
  readonly classes?: number;
  /** Of the hidden layers. Default tanh, as in the paper; relu learns faster. */
  readonly activation?: ActivationLike;
  /** Default softmax. */
  readonly classifierActivation?: ActivationLike;
  /** How images are scaled down. Default `avg`, as in the paper. */
  readonly pooling?: 'avg' | 'max';
  /** Of the first convolution: `same` (the default) for digits of 28 × 28, `valid` for the paper's 32 × 32. */
  readonly padding?: Padding;
  /** Default `channelsLast`. */
  readonly dataFormat?: DataFormat;
}

/**
 * LeNet-5, the first convolutional network in wide use: two convolutions, each followed by pooling, and three dense layers.
 * 61,706 parameters: all maps of the third layer see all maps of the second, and the output is a softmax, as is usual now.
 *
 * Input `[batch, height, width, channels]`, output `[batch, classes]`.
 *
 * @see LeCun, Bottou, Bengio and Haffner, Proceedings of the IEEE 86 (1998).
 */
export function lenet5(options: LeNet5Options = {}): LayeredModel {
  const { name = 'lenet5', seed = 0, classes = 10, activation = 'tanh', padding = 'same', dataFormat } = options;
  const { classifierActivation = 'softmax', pooling = 'avg' } = options;
  const format = dataFormat === undefined ? {} : { dataFormat };
  const inputShape = options.inputShape ?? (dataFormat === 'channelsFirst' ? [1, 28, 28] : [28, 28, 1]);
  const scaleDown = pooling === 'avg' ? averagePooling2d : maxPooling2d;
  return sequential({
    name,
    seed,
    inputShape,
    layers: [
      conv2d({ filters: 6, kernelSize: 5, padding, activation, ...format }),
      scaleDown({ poolSize: 2, ...format }),
      conv2d({ filters: 16, kernelSize: 5, activation, ...format }),
      scaleDown({ poolSize: 2, ...format }),
      flatten(format),
      dense({ units: 120, activation }),
      dense({ units: 84, activation }),
      dense({ units: classes, activation: classifierActivation }),
    ],
  });
}
