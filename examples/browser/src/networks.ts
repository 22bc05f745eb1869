import type { Model } from '@modelwright/core';
import { conv2d, dense, flatten, maxPooling2d, sequential } from '@modelwright/models';

export type NetworkKind = 'mlp' | 'cnn';

const common = { inputName: 'image', outputName: 'probabilities', inputShape: [28, 28, 1] } as const;

/** Small networks, without dropout: two backends that train them take the same steps. */
export const networks: { readonly [kind in NetworkKind]: () => Model } = {
  mlp: () =>
    sequential({
      ...common,
      name: 'perceptron',
      layers: [flatten(), dense({ units: 64, activation: 'relu' }), dense({ units: 10, activation: 'softmax' })],
    }),
  cnn: () =>
    sequential({
      ...common,
      name: 'convolutional',
      layers: [
        conv2d({ filters: 8, kernelSize: 3, activation: 'relu' }),
        maxPooling2d({ poolSize: 2 }),
        conv2d({ filters: 16, kernelSize: 3, activation: 'relu' }),
        maxPooling2d({ poolSize: 2 }),
        flatten(),
        dense({ units: 10, activation: 'softmax' }),
      ],
    }),
};
