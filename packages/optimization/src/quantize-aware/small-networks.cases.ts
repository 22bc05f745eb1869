import { type Model, type Tensor, tensor } from '@modelwright/core';
import {
  add,
  batchNormalization,
  concatenate,
  conv2d,
  dense,
  depthwiseConv2d,
  dropout,
  flatten,
  globalAveragePooling2d,
  input,
  maxPooling2d,
  model,
  reLU,
  sequential,
} from '@modelwright/models';

const extent = 6;
const channels = 2;
export const classCount = 3;

/** Numbers that look random and are always the same. */
export function noise(count: number, seed: number): Float32Array {
  return Float32Array.from({ length: count }, (_, index) => Math.sin((index + 1) * 12.9898 + seed * 78.233) * 2);
}

/** Images whose class their brightest corner tells, and the classes. */
export function images(count: number, seed = 1): readonly [Tensor, Tensor] {
  const data = noise(count * extent * extent * channels, seed);
  const classes = Array.from({ length: count }, (_, index) => index % classCount);
  classes.forEach((each, index) => {
    const corner = index * extent * extent * channels + each * 2 * extent * channels;
    for (let at = 0; at < 2 * channels; at++) data[corner + at] = (data[corner + at] as number) + 3;
  });
  return [tensor(data, { shape: [count, extent, extent, channels] }), tensor(classes, { dtype: 'int32' })];
}

/** In small what image networks are made of: normalized and depthwise convolutions, a sum, a concatenation, pooling, a dense end. */
export function smallNetwork({ dropoutRate = 0 } = {}): Model {
  const image = input({ shape: [extent, extent, channels], name: 'image' });
  const plain = { padding: 'same', useBias: false } as const;
  const stem = reLU()(batchNormalization()(conv2d({ filters: 4, kernelSize: 3, ...plain, name: 'stem' })(image)));
  const wide = reLU({ maxValue: 6 })(batchNormalization()(depthwiseConv2d({ kernelSize: 3, ...plain })(stem)));
  const narrow = batchNormalization()(conv2d({ filters: 4, kernelSize: 1, ...plain, name: 'project' })(wide));
  const sum = add()([stem, narrow]);
  const other = conv2d({ filters: 3, kernelSize: 1, activation: 'relu', name: 'side' })(stem);
  const pooled = maxPooling2d({ poolSize: 2 })(concatenate()([sum, other]));
  const features = globalAveragePooling2d()(conv2d({ filters: 5, kernelSize: 3, name: 'last' })(pooled));
  const dropped = dropoutRate === 0 ? features : dropout({ rate: dropoutRate })(features);
  const result = dense({ units: classCount, activation: 'softmax', name: 'predictions' })(dropped);
  return model({ inputs: image, outputs: result, name: 'small' });
}

/** A convolution with its normalization, and a dense end. */
export function tinyNetwork(): Model {
  const layers = [
    conv2d({ filters: 4, kernelSize: 3, strides: 2, name: 'conv' }),
    batchNormalization(),
    reLU(),
    flatten(),
    dense({ units: classCount, activation: 'softmax', name: 'predictions' }),
  ];
  return sequential({ name: 'tiny', inputShape: [extent, extent, channels], layers });
}
