import { isModelwrightError } from '@modelwright/core';
import { describe, expect, test } from 'vitest';
import {
  activation,
  add,
  averagePooling1d,
  batchNormalization,
  conv1d,
  conv2d,
  cropping1d,
  dense,
  dot,
  dropout,
  embedding,
  groupNormalization,
  input,
  layerNormalization,
  maxNorm,
  model,
  permute,
  reshape,
  sequential,
  upSampling2d,
  zeroPadding2d,
} from '../index.js';

const image = input({ shape: [8, 8, 3], name: 'image' });
const vector = input({ shape: [4] });

function refusal(work: () => unknown): { code: string; message: string } {
  try {
    work();
  } catch (error) {
    if (isModelwrightError(error)) return { code: error.code, message: error.message };
    throw error;
  }
  throw new RangeError('it was not refused');
}

describe('options', () => {
  test.each([
    ['units', () => dense({ units: 0 }), 'dense: units is 0; an integer ≥ 1 is expected'],
    ['filters', () => conv2d({ filters: 1.5, kernelSize: 3 }), 'conv2d: filters is 1.5'],
    [
      'kernelSize',
      () => conv2d({ filters: 1, kernelSize: [3] }),
      'conv2d: kernelSize is [3]; an integer ≥ 1, or 2 of them is expected',
    ],
    [
      'strides',
      () => conv1d({ filters: 1, kernelSize: 3, strides: 0 }),
      'conv1d: strides is 0; an integer ≥ 1 is expected',
    ],
    ['padding', () => zeroPadding2d({ padding: [1] }), 'zeroPadding2d: padding is [1]'],
    ['size', () => upSampling2d({ size: -1 }), 'upSampling2d: size is -1'],
    ['rate', () => dropout({ rate: 2 }), 'dropout: rate is 2; a number in [0, 1] is expected'],
    ['targetShape', () => reshape({ targetShape: [-1, -1] }), 'reshape: targetShape is [-1,-1]'],
    ['dims', () => permute({ dims: [0, 1] }), 'permute: dims is [0,1]; an order of 1…2 is expected'],
    ['activation', () => activation('relux' as never), "there is no activation 'relux'; there are: linear, relu"],
    ['extent', () => input({ shape: [-1] }), "input 'input': -1 is no extent"],
  ])('%s', (_, make, message) => {
    const given = refusal(make);
    expect(given.code).toBe('invalid-argument');
    expect(given.message).toContain(message);
  });

  test('names of initializers, regularizers and constraints', () => {
    const build = (options: object): unknown =>
      sequential({ inputShape: [2], layers: [dense({ units: 1, ...options })] });
    expect(() => build({ kernelInitializer: 'he' })).toThrow("there is no initializer 'he'; there are: zeros, ones");
    expect(() => build({ kernelRegularizer: 'l3' })).toThrow("there is no regularizer 'l3'; there are: l1, l2, l1l2");
    expect(() => build({ kernelConstraint: 'small' })).toThrow("there is no constraint 'small'");
    expect(() => build({ kernelInitializer: () => [1] })).toThrow(/'dense.kernel'|1 values were given/);
  });
});

describe('inputs are checked where a layer is applied, by its name', () => {
  test.each([
    [
      'rank',
      () => conv2d({ filters: 1, kernelSize: 3, name: 'stem.conv' })(vector),
      "conv2d 'stem.conv': takes [batch, height, width, channels], but its input has rank 2: [batch,4]",
    ],
    [
      'groups',
      () => conv2d({ filters: 4, kernelSize: 3, groups: 2 })(image),
      "conv2d 'conv2d': groups = 2 has to divide its 3 input channels and its 4 filters",
    ],
    ['group channels', () => groupNormalization({ groups: 2 })(image), 'groups = 2 has to divide its 3 channels'],
    ['window', () => conv2d({ filters: 4, kernelSize: 9, name: 'wide' })(image), "conv2d 'wide'"],
    [
      'merge',
      () => add({ name: 'sum' })(vector, input({ shape: [5] })),
      "add 'sum': shapes [batch,4] and [batch,5] do not broadcast",
    ],
    [
      'merge ranks',
      () => add()(vector, image),
      "add 'add': its inputs need one rank, but are [batch,4], [batch,8,8,3]",
    ],
    ['reshape', () => reshape({ targetShape: [3] })(vector), 'cannot reshape [4] (4 elements) to [3] (3 elements)'],
    [
      'cropping',
      () => cropping1d({ cropping: 2 })(input({ shape: [4, 1] })),
      'cuts off 2 + 2, which leaves nothing of an axis of 4',
    ],
    ['dot', () => dot({ axes: 0 })(vector, vector), 'axis 0 is not among 1…1'],
    ['axis', () => batchNormalization({ axis: 2 })(vector), 'axis 2 is not among those of its input, 1…1'],
    ['trailing', () => layerNormalization({ axis: 1 })(image), 'has to be the last axis or the last few'],
    ['open extent', () => dense({ units: 1 })(input({ shape: [null] })), 'needs to know axis -1 of its input'],
    ['pooling', () => averagePooling1d()(image), 'takes [batch, steps, channels]'],
    ['scalar', () => dense({ units: 1 })(input({ shape: [] })), 'its input has no features'],
    [
      'dtype',
      () => conv2d({ filters: 1, kernelSize: 3 })(input({ shape: [8, 8, 3], dtype: 'uint8' })),
      "conv2d 'conv2d': takes floating-point numbers, but its input is uint8",
    ],
    ['count', () => add()(vector), 'add takes 2 or more inputs, 1 were given'],
    [
      'type',
      () => dense({ units: 1, name: 'd' })([1, 2] as never),
      "dense 'd' is applied to symbolic tensors; begin with input({ shape })",
    ],
  ])('%s', (_, apply, message) => {
    expect(refusal(apply).message).toContain(message);
  });
});

describe('models', () => {
  test.each([
    [
      'missing inputs',
      () =>
        model({
          inputs: vector,
          outputs: dense({ units: 1, name: 'head' })(dense({ units: 2 })(input({ shape: [3] }))),
        }),
      "depends on an input that is not among the model's inputs (shape [batch,3])",
    ],
    [
      'inputs that are outputs',
      () => model({ inputs: dense({ units: 1 })(vector), outputs: vector }),
      'begins with tensors made by input()',
    ],
    [
      'equal input names',
      () => model({ inputs: [input({ shape: [1], name: 'x' }), input({ shape: [1], name: 'x' })], outputs: vector }),
      "two of the model's inputs are named 'x'",
    ],
    [
      'equal layer names',
      () => sequential({ inputShape: [1], layers: [dense({ units: 1, name: 'a' }), dense({ units: 1, name: 'a' })] }),
      "two layers of the model are named 'a'",
    ],
    ['no outputs', () => model({ inputs: vector, outputs: [] }), 'a model needs outputs'],
  ])('%s', (_, make, message) => {
    expect(refusal(make).message).toContain(message);
  });

  test('a constraint on axes that storing merges', () => {
    const build = (): unknown =>
      sequential({
        inputShape: [4, 4, 2],
        layers: [conv2d({ filters: 2, kernelSize: 2, kernelConstraint: maxNorm({ axis: [0, 1, 2] }) })],
      });
    expect(build).not.toThrow();
    expect(() => embedding({ inputDim: 0, outputDim: 1 })).toThrow('embedding: inputDim is 0');
  });
});
