import type { ActivationLike } from '../activations.js';
import type { Layer } from '../layer.js';
import { activation, elu, leakyReLU, prelu, reLU, softmax, thresholdedReLU } from '../layers/activation-layers.js';
import { conv1d, conv2d, conv3d } from '../layers/convolution.js';
import { dense } from '../layers/dense.js';
import { depthwiseConv1d, depthwiseConv2d, separableConv1d, separableConv2d } from '../layers/depthwise-convolution.js';
import { embedding } from '../layers/embedding.js';
import {
  globalAveragePooling1d,
  globalAveragePooling2d,
  globalAveragePooling3d,
  globalMaxPooling1d,
  globalMaxPooling2d,
  globalMaxPooling3d,
} from '../layers/global-pooling.js';
import { masking } from '../layers/masking.js';
import { add, average, concatenate, dot, maximum, minimum, multiply, subtract } from '../layers/merging.js';
import {
  alphaDropout,
  dropout,
  gaussianDropout,
  gaussianNoise,
  spatialDropout1d,
  spatialDropout2d,
  spatialDropout3d,
} from '../layers/noise.js';
import {
  batchNormalization,
  groupNormalization,
  layerNormalization,
  unitNormalization,
} from '../layers/normalization.js';
import { cropping1d, cropping2d, cropping3d, zeroPadding1d, zeroPadding2d, zeroPadding3d } from '../layers/padding.js';
import {
  averagePooling1d,
  averagePooling2d,
  averagePooling3d,
  maxPooling1d,
  maxPooling2d,
  maxPooling3d,
} from '../layers/pooling.js';
import { rescaling } from '../layers/preprocessing.js';
import { bidirectional } from '../layers/recurrent/bidirectional.js';
import { gru } from '../layers/recurrent/gru.js';
import { lstm } from '../layers/recurrent/lstm.js';
import type { RecurrentLayer } from '../layers/recurrent/recurrent-layer.js';
import { simpleRnn } from '../layers/recurrent/simple-rnn.js';
import { timeDistributed } from '../layers/recurrent/time-distributed.js';
import { upSampling1d, upSampling2d, upSampling3d } from '../layers/resampling.js';
import { flatten, permute, repeatVector, reshape } from '../layers/reshaping.js';
import { conv1dTranspose, conv2dTranspose, conv3dTranspose } from '../layers/transposed-convolution.js';
import { asList, asRecord } from './json.js';
import type { LayerConfig } from './layer-config.js';

/** What importers of layers that hold others need. */
export interface ImportContext {
  /** Makes the layer of a nested `{ class_name, config }`. */
  importInner(serialized: unknown): Layer;
}

type Importer = (config: LayerConfig, context: ImportContext) => Layer;

const namingKeys = ['name', 'trainable'];
const kernelKeys = [
  ...namingKeys,
  'activation',
  'use_bias',
  'kernel_regularizer',
  'bias_regularizer',
  'kernel_constraint',
  'bias_constraint',
];
const windowKeys = ['kernel_size', 'strides', 'padding', 'dilation_rate', 'data_format'];
const convolutionKeys = [...kernelKeys, ...windowKeys, 'filters', 'groups'];
const depthwiseKeys = [
  ...kernelKeys,
  ...windowKeys,
  'depth_multiplier',
  'depthwise_regularizer',
  'depthwise_constraint',
];
const poolingKeys = [...namingKeys, 'pool_size', 'strides', 'padding', 'data_format'];
const normalizationKeys = [
  ...namingKeys,
  'axis',
  'epsilon',
  'center',
  'scale',
  'beta_regularizer',
  'gamma_regularizer',
  'beta_constraint',
  'gamma_constraint',
];
const recurrentKeys = [
  ...kernelKeys,
  'units',
  'recurrent_activation',
  'recurrent_regularizer',
  'recurrent_constraint',
  'dropout',
  'recurrent_dropout',
  'return_sequences',
  'return_state',
  'go_backwards',
  'stateful',
  'zero_output_for_mask',
];

/** The importer of layers whose options are Keras's under camelCase names. */
function plain<T>(create: (options: T) => Layer, keys: readonly string[], defaults: object = {}): Importer {
  return (config) => create({ ...defaults, ...config.options(keys) } as T);
}

/** By Keras's name of the class. */
const importers: { readonly [className: string]: Importer } = {
  Dense: plain(dense, [...kernelKeys, 'units']),
  Activation: (config) =>
    activation(config.options(['activation'])['activation'] as ActivationLike, config.options(namingKeys)),
  Embedding: plain(embedding, [
    ...namingKeys,
    'input_dim',
    'output_dim',
    'mask_zero',
    'embeddings_regularizer',
    'embeddings_constraint',
  ]),
  Flatten: plain(flatten, [...namingKeys, 'data_format']),
  Reshape: (config) =>
    reshape({
      ...config.options(namingKeys),
      targetShape: asList(config.get('target_shape'), 'target_shape').map((extent) => (extent ?? -1) as number),
    }),
  Permute: plain(permute, [...namingKeys, 'dims']),
  RepeatVector: plain(repeatVector, [...namingKeys, 'n']),
  Masking: plain(masking, [...namingKeys, 'mask_value']),

  Conv1D: plain(conv1d, convolutionKeys),
  Conv2D: plain(conv2d, convolutionKeys),
  Conv3D: plain(conv3d, convolutionKeys),
  Conv1DTranspose: plain(conv1dTranspose, [...convolutionKeys, 'output_padding']),
  Conv2DTranspose: plain(conv2dTranspose, [...convolutionKeys, 'output_padding']),
  Conv3DTranspose: plain(conv3dTranspose, [...convolutionKeys, 'output_padding']),
  DepthwiseConv1D: plain(depthwiseConv1d, depthwiseKeys),
  DepthwiseConv2D: plain(depthwiseConv2d, depthwiseKeys),
  SeparableConv1D: plain(separableConv1d, [
    ...depthwiseKeys,
    'filters',
    'pointwise_regularizer',
    'pointwise_constraint',
  ]),
  SeparableConv2D: plain(separableConv2d, [
    ...depthwiseKeys,
    'filters',
    'pointwise_regularizer',
    'pointwise_constraint',
  ]),

  MaxPooling1D: plain(maxPooling1d, poolingKeys),
  MaxPooling2D: plain(maxPooling2d, poolingKeys),
  MaxPooling3D: plain(maxPooling3d, poolingKeys),
  AveragePooling1D: plain(averagePooling1d, poolingKeys),
  AveragePooling2D: plain(averagePooling2d, poolingKeys),
  AveragePooling3D: plain(averagePooling3d, poolingKeys),
  GlobalMaxPooling1D: globalPooling(globalMaxPooling1d),
  GlobalMaxPooling2D: globalPooling(globalMaxPooling2d),
  GlobalMaxPooling3D: globalPooling(globalMaxPooling3d),
  GlobalAveragePooling1D: globalPooling(globalAveragePooling1d),
  GlobalAveragePooling2D: globalPooling(globalAveragePooling2d),
  GlobalAveragePooling3D: globalPooling(globalAveragePooling3d),

  UpSampling1D: plain(upSampling1d, [...namingKeys, 'size']),
  UpSampling2D: (config) => {
    const blends = config.get('interpolation') === 'bilinear' && config.isFromTensorFlowJs;
    if (blends) config.refuse("TensorFlow.js's bilinear interpolation is between the corners of pixels");
    return upSampling2d(config.options([...namingKeys, 'size', 'data_format', 'interpolation']));
  },
  UpSampling3D: plain(upSampling3d, [...namingKeys, 'size', 'data_format']),
  ZeroPadding1D: plain(zeroPadding1d, [...namingKeys, 'padding']),
  ZeroPadding2D: plain(zeroPadding2d, [...namingKeys, 'padding', 'data_format']),
  ZeroPadding3D: plain(zeroPadding3d, [...namingKeys, 'padding', 'data_format']),
  Cropping1D: plain(cropping1d, [...namingKeys, 'cropping']),
  Cropping2D: plain(cropping2d, [...namingKeys, 'cropping', 'data_format']),
  Cropping3D: plain(cropping3d, [...namingKeys, 'cropping', 'data_format']),

  BatchNormalization: (config) =>
    batchNormalization({
      ...config.options([...normalizationKeys, 'momentum']),
      ...(config.has('axis') ? { axis: [config.get('axis')].flat()[0] as number } : {}),
    }),
  LayerNormalization: plain(layerNormalization, normalizationKeys),
  GroupNormalization: plain(groupNormalization, [...normalizationKeys, 'groups']),
  UnitNormalization: plain(unitNormalization, [...namingKeys, 'axis']),

  Dropout: plain(dropout, [...namingKeys, 'rate']),
  SpatialDropout1D: plain(spatialDropout1d, [...namingKeys, 'rate']),
  SpatialDropout2D: plain(spatialDropout2d, [...namingKeys, 'rate', 'data_format']),
  SpatialDropout3D: plain(spatialDropout3d, [...namingKeys, 'rate', 'data_format']),
  GaussianNoise: plain(gaussianNoise, [...namingKeys, 'stddev']),
  GaussianDropout: plain(gaussianDropout, [...namingKeys, 'rate']),
  AlphaDropout: plain(alphaDropout, [...namingKeys, 'rate']),

  Add: plain(add, namingKeys),
  Subtract: plain(subtract, namingKeys),
  Multiply: plain(multiply, namingKeys),
  Average: plain(average, namingKeys),
  Maximum: plain(maximum, namingKeys),
  Minimum: plain(minimum, namingKeys),
  Concatenate: plain(concatenate, [...namingKeys, 'axis']),
  Dot: plain(dot, [...namingKeys, 'axes', 'normalize']),

  ReLU: plain(reLU, [...namingKeys, 'max_value', 'negative_slope', 'threshold']),
  // `alpha` before Keras 3.
  LeakyReLU: (config) => {
    const slope = Number(config.get('negative_slope') ?? config.get('alpha') ?? 0.3);
    return leakyReLU({ ...config.options(namingKeys), negativeSlope: slope });
  },
  PReLU: plain(prelu, [...namingKeys, 'shared_axes', 'alpha_regularizer', 'alpha_constraint']),
  ELU: plain(elu, [...namingKeys, 'alpha']),
  ThresholdedReLU: plain(thresholdedReLU, [...namingKeys, 'theta']),
  Softmax: plain(softmax, [...namingKeys, 'axis']),
  Rescaling: plain(rescaling, [...namingKeys, 'scale', 'offset']),

  SimpleRNN: plain(simpleRnn, recurrentKeys),
  LSTM: plain(lstm, recurrentKeys),
  // Keras's default is true; where it is not written, TensorFlow.js and Keras 1 mean false.
  GRU: plain(gru, [...recurrentKeys, 'reset_after'], { resetAfter: false }),
  Bidirectional: (config, { importInner }) => {
    const { layer, backward_layer: backward } = {
      layer: config.get('layer'),
      backward_layer: config.get('backward_layer'),
    };
    return bidirectional({
      ...config.options(namingKeys),
      layer: importInner(layer) as RecurrentLayer,
      ...(backward === undefined ? {} : { backwardLayer: importInner(backward) as RecurrentLayer }),
      ...(config.has('merge_mode') ? config.options(['merge_mode']) : { mergeMode: null }),
    });
  },
  TimeDistributed: (config, { importInner }) =>
    timeDistributed({ ...config.options(namingKeys), layer: importInner(asRecord(config.get('layer'), 'layer')) }),
};

function globalPooling(create: typeof globalMaxPooling2d): Importer {
  return (config) => {
    const keepDims = config.get('keepdims') === true;
    return create({ ...config.options([...namingKeys, 'data_format']), keepDims });
  };
}

/** Aliases that TensorFlow.js and old files use. */
const aliases: { readonly [className: string]: string } = {
  MaxPool1D: 'MaxPooling1D',
  MaxPool2D: 'MaxPooling2D',
  MaxPool3D: 'MaxPooling3D',
  AvgPool1D: 'AveragePooling1D',
  AvgPool2D: 'AveragePooling2D',
  AvgPool3D: 'AveragePooling3D',
  Convolution1D: 'Conv1D',
  Convolution2D: 'Conv2D',
  Convolution3D: 'Conv3D',
};

/** The importer of a class; undefined when there is none. */
export function importerOf(className: string): Importer | undefined {
  const name = aliases[className] ?? className;
  return Object.hasOwn(importers, name) ? importers[name] : undefined;
}

/** Names of the classes that can be imported. */
export const importedClasses: readonly string[] = Object.keys(importers).sort();
