import type { Tensor } from '@modelwright/core';
import type { ActivationLike } from '../activations.js';
import type { Layer } from '../layer.js';
import { conv1d } from '../layers/convolution.js';
import { dense } from '../layers/dense.js';
import { embedding } from '../layers/embedding.js';
import { globalMaxPooling1d } from '../layers/global-pooling.js';
import { concatenate } from '../layers/merging.js';
import { dropout } from '../layers/noise.js';
import { input, model } from '../model/functional.js';
import type { LayeredModel } from '../model/layered-model.js';
import type { SymbolicTensor } from '../symbolic-tensor.js';
import { maxNorm } from '../weights/constraints.js';
import type { ZooOptions } from './zoo-options.js';

export interface TextCnnOptions extends ZooOptions {
  /** Number of different tokens; they are 0…vocabularySize − 1. */
  readonly vocabularySize: number;
  /** Tokens of a text, padding with it; at least the widest window. Default: whatever is fed. */
  readonly sequenceLength?: number | null;
  /** Length of the word vectors. Default 300. */
  readonly embeddingSize?: number;
  /** Word vectors to begin with, `[vocabularySize, embeddingSize]`. Default: random ones. */
  readonly embeddings?: Tensor;
  /** Whether training changes the word vectors (CNN-non-static) or not (CNN-static). Default true. */
  readonly trainableEmbeddings?: boolean;
  /** Numbers of words that the convolutions see. Default `[3, 4, 5]`. */
  readonly windows?: readonly number[];
  /** Filters of each window. Default 100. */
  readonly filters?: number;
  /** Of the convolutions. Default relu. */
  readonly activation?: ActivationLike;
  /** Share of the features that training drops. Default 0.5. */
  readonly dropout?: number;
  /** Default 2; 1 gives a single sigmoid. */
  readonly classes?: number;
  /** Default softmax, or sigmoid for one class. */
  readonly classifierActivation?: ActivationLike;
  /** Largest norm of the weights of a class; `null` for no limit. Default 3. */
  readonly maxNorm?: number | null;
}

/**
 * A convolutional network for sentences: windows of several widths over word vectors, the strongest response of each filter,
 * a classifier on those.
 *
 * Input int32 tokens `[batch, sequenceLength]` (named `tokens`), output `[batch, classes]`.
 *
 * @throws {@link ModelwrightError} `shape-mismatch` when `sequenceLength` is less than a window.
 * @see Kim, arXiv:1408.5882.
 * @example
 * const spam = textCnn({ vocabularySize: 20_000, sequenceLength: 400, embeddingSize: 64, classes: 1 });
 */
export function textCnn(options: TextCnnOptions): LayeredModel {
  const { name = 'textCnn', seed = 0, sequenceLength = null, windows = [3, 4, 5] } = options;
  const tokens = input({ shape: [sequenceLength], name: 'tokens', dtype: 'int32' });
  const vectors = wordVectors(options)(tokens);
  const responses = windows.map((window) => strongestResponse(vectors, window, options));
  const features = responses.length === 1 ? (responses[0] as SymbolicTensor) : concatenate()(responses);
  return model({ name, seed, inputs: tokens, outputs: classifier(features, options) });
}

function wordVectors(options: TextCnnOptions): Layer {
  const { vocabularySize, embeddingSize = 300, embeddings, trainableEmbeddings = true } = options;
  return embedding({
    inputDim: vocabularySize,
    outputDim: embeddingSize,
    trainable: trainableEmbeddings,
    ...(embeddings === undefined ? {} : { embeddingsInitializer: embeddings }),
  });
}

function strongestResponse(
  vectors: SymbolicTensor,
  window: number,
  { filters = 100, activation = 'relu' }: TextCnnOptions,
): SymbolicTensor {
  const responses = conv1d({ filters, kernelSize: window, activation, name: `window${window}` })(vectors);
  return globalMaxPooling1d()(responses);
}

function classifier(features: SymbolicTensor, options: TextCnnOptions): SymbolicTensor {
  const { dropout: rate = 0.5, classes = 2, maxNorm: limit = 3 } = options;
  const kept = rate === 0 ? features : dropout({ rate })(features);
  return dense({
    units: classes,
    activation: options.classifierActivation ?? (classes === 1 ? 'sigmoid' : 'softmax'),
    name: 'classifier',
    ...(limit === null ? {} : { kernelConstraint: maxNorm({ maxValue: limit }) }),
  })(kept);
}
