import { conv2d, dense, dropout, flatten, maxPooling2d } from '@modelwright/models';
import type { Network } from '../networks.js';

/** The digit network of the first tutorials of Keras and PyTorch: no pool between the convolutions, 128 units behind them. */
export const largeDigitNetwork: Network = {
  name: 'large digits',
  title: 'CNN 28×28, conv 32 and 64, dense 128',
  inputShape: [28, 28, 1],
  batchSize: 64,
  layers: () => [
    conv2d({ filters: 32, kernelSize: 3, activation: 'relu' }),
    conv2d({ filters: 64, kernelSize: 3, activation: 'relu' }),
    maxPooling2d({ poolSize: 2 }),
    dropout({ rate: 0.25 }),
    flatten(),
    dense({ units: 128, activation: 'relu' }),
    dropout({ rate: 0.5 }),
    dense({ units: 10, activation: 'softmax' }),
  ],
  steps: 60,
};
