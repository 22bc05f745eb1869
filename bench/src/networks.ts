import { type Model, Tensor } from '@modelwright/core';
import {
  activation,
  batchNormalization,
  conv2d,
  dense,
  dropout,
  flatten,
  globalAveragePooling2d,
  type Layer,
  maxPooling2d,
  sequential,
} from '@modelwright/models';
import { recurrentNetworks } from './recurrent-networks.js';

/** A network of the benches: the same in every peer. */
export interface Network {
  readonly name: string;
  readonly title: string;
  /** Of one sample; images channels last. */
  readonly inputShape: readonly number[];
  /** Inputs are tokens below this; default: numbers in [0, 1). */
  readonly vocabulary?: number;
  readonly batchSize: number;
  readonly layers: () => readonly Layer[];
  /** Steps a round, so that rounds of all networks take about equally long. */
  readonly steps: number;
}

function perceptron(hidden: number): readonly Layer[] {
  return [
    dense({ units: hidden, activation: 'relu' }),
    dense({ units: hidden, activation: 'relu' }),
    dense({ units: 10, activation: 'softmax' }),
  ];
}

function normalizedBlock(filters: number): readonly Layer[] {
  return [conv2d({ filters, kernelSize: 3, padding: 'same' }), batchNormalization(), activation('relu')];
}

/** The networks by name. */
export const networks: { readonly [name: string]: Network } = {
  mlp: {
    name: 'mlp',
    title: 'MLP 784-512-512-10',
    inputShape: [784],
    batchSize: 128,
    layers: () => perceptron(512),
    steps: 100,
  },
  cnn: {
    name: 'cnn',
    title: 'CNN 28×28, conv 32 and 64, dropout',
    inputShape: [28, 28, 1],
    batchSize: 64,
    layers: () => [
      conv2d({ filters: 32, kernelSize: 3, activation: 'relu' }),
      maxPooling2d({ poolSize: 2 }),
      conv2d({ filters: 64, kernelSize: 3, activation: 'relu' }),
      maxPooling2d({ poolSize: 2 }),
      flatten(),
      dropout({ rate: 0.5 }),
      dense({ units: 10, activation: 'softmax' }),
    ],
    steps: 60,
  },
  deep: {
    name: 'deep',
    title: 'deep conv+BN net, 32×32×3',
    inputShape: [32, 32, 3],
    batchSize: 32,
    layers: () => [
      ...normalizedBlock(64),
      ...normalizedBlock(64),
      maxPooling2d({ poolSize: 2 }),
      ...normalizedBlock(128),
      maxPooling2d({ poolSize: 2 }),
      globalAveragePooling2d(),
      dense({ units: 10, activation: 'softmax' }),
    ],
    steps: 12,
  },
  wide: {
    name: 'wide',
    title: 'MLP of 10 M weights, 784-2800-2800-10',
    inputShape: [784],
    batchSize: 128,
    layers: () => perceptron(2800),
    steps: 12,
  },
  ...recurrentNetworks,
};

/** A fresh Modelwright model of the network. */
export function buildModel(network: Network): Model {
  return sequential({ name: network.name, inputShape: network.inputShape, layers: network.layers() });
}

/** Random samples and labels, the same in every run. */
export function samplesOf(network: Network, count: number): { readonly x: Float32Array; readonly y: Int32Array } {
  const { vocabulary } = network;
  const length = network.inputShape.reduce((product, extent) => product * extent, 1);
  let state = 1;
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  return {
    x: Float32Array.from(
      { length: count * length },
      vocabulary === undefined ? next : () => Math.floor(next() * vocabulary),
    ),
    y: Int32Array.from({ length: count }, () => Math.floor(next() * 10)),
  };
}

/** `count` inputs as a model takes them. */
export function inputTensor({ vocabulary, inputShape }: Network, x: Float32Array, count: number): Tensor {
  const shape = [count, ...inputShape];
  return vocabulary === undefined ? new Tensor('float32', shape, x) : new Tensor('int32', shape, Int32Array.from(x));
}
