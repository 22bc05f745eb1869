import { dense, embedding, lstm, simpleRnn } from '@modelwright/models';
import type { Network } from './networks.js';

/** Different tokens of the sequences. */
const vocabulary = 1000;

/** Recurrent networks by name: 100 steps, classified by the last one. */
export const recurrentNetworks: { readonly [name: string]: Network } = {
  rnn: {
    name: 'rnn',
    title: 'simpleRnn(64), 100 steps',
    inputShape: [100, 1],
    batchSize: 32,
    layers: () => [simpleRnn({ units: 64 }), dense({ units: 10, activation: 'softmax' })],
    steps: 80,
  },
  lstm: {
    name: 'lstm',
    title: 'embedding(1000, 64), lstm(64), 100 steps',
    inputShape: [100],
    vocabulary,
    batchSize: 32,
    layers: () => [
      embedding({ inputDim: vocabulary, outputDim: 64 }),
      lstm({ units: 64 }),
      dense({ units: 10, activation: 'softmax' }),
    ],
    steps: 40,
  },
};
