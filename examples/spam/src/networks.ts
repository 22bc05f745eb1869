import type { Model } from '@modelwright/core';
import {
  add,
  dense,
  dropout,
  embedding,
  globalAveragePooling1d,
  input,
  lstm,
  model,
  positionEmbedding,
  sequential,
  textCnn,
  transformerEncoder,
} from '@modelwright/models';

/** What all networks read: rows of word ids, and give: the probability that a mail is spam. */
export interface Reading {
  readonly vocabularySize: number;
  /** Words of a mail that are read. */
  readonly length: number;
  readonly seed: number;
}

/** Logistic regression on the words of a mail, each weighted by how telling it is: the baseline. */
export function bagOfWords({ vocabularySize, seed }: Reading): Model {
  return sequential({
    name: 'bagOfWords',
    seed,
    inputShape: [vocabularySize],
    layers: [dense({ units: 1, activation: 'sigmoid', kernelInitializer: 'zeros' })],
  });
}

/** Kim's network: windows of three, four and five words, the strongest response of each filter. */
export function convolutional({ vocabularySize, length, seed }: Reading): Model {
  return textCnn({ vocabularySize, sequenceLength: length, embeddingSize: 32, filters: 64, classes: 1, seed });
}

/** An LSTM that reads the words one by one; what it thinks along the way is averaged. */
export function recurrent({ vocabularySize, length, seed }: Reading): Model {
  return sequential({
    name: 'recurrent',
    seed,
    inputShape: [length],
    layers: [
      embedding({ inputDim: vocabularySize, outputDim: 32, maskZero: true }),
      lstm({ units: 32, returnSequences: true }),
      globalAveragePooling1d(),
      dropout({ rate: 0.5 }),
      dense({ units: 1, activation: 'sigmoid' }),
    ],
  });
}

/** One block of attention over words and their places. */
export function attentive({ vocabularySize, length, seed }: Reading): Model {
  const tokens = input({ shape: [length], name: 'tokens', dtype: 'int32' });
  const words = embedding({ inputDim: vocabularySize, outputDim: 32, maskZero: true })(tokens);
  const places = positionEmbedding({ sequenceLength: length })(words);
  const attended = transformerEncoder({ numHeads: 2, intermediateDim: 64, dropout: 0.1 })(add()([words, places]));
  const features = dropout({ rate: 0.3 })(globalAveragePooling1d()(attended));
  return model({
    name: 'attentive',
    seed,
    inputs: tokens,
    outputs: dense({ units: 1, activation: 'sigmoid' })(features),
  });
}
