import { fromNumbers, type Parameter, tensor } from '@modelwright/core';
import { describe, expect, test } from 'vitest';
import {
  conv2d,
  dense,
  depthwiseConv2d,
  l1,
  l1l2,
  l2,
  maxNorm,
  minMaxNorm,
  modelLayer,
  nonNeg,
  sequential,
  unitNorm,
} from '../index.js';
import { kerasAxes, permutedLayout, storedAxes, toKeras, toStored } from './keras-layout.js';

const parameterOf = (layer: ReturnType<typeof dense>, inputShape: number[]): Parameter =>
  sequential({ inputShape, layers: [layer] }).parameters[0] as Parameter;

test('a stored weight has Keras’s element at the permuted place', () => {
  const keras = fromNumbers(
    'float32',
    [2, 2, 3, 4],
    Array.from({ length: 48 }, (_, index) => index),
  );
  const stored = toStored(keras, permutedLayout([2, 2, 3, 4], [3, 2, 0, 1]));
  expect(stored.shape).toEqual([4, 3, 2, 2]);
  const [h, w, c, o] = [1, 0, 2, 3];
  expect(stored.data[((o * 3 + c) * 2 + h) * 2 + w]).toBe(keras.data[((h * 2 + w) * 3 + c) * 4 + o]);
  expect(toKeras(stored, permutedLayout([2, 2, 3, 4], [3, 2, 0, 1]))).toEqual(keras);
});

test('axes follow the layout, there and back', () => {
  const conv = permutedLayout([3, 3, 8, 16], [3, 2, 0, 1]);
  expect(storedAxes([0, 1, 2], conv)).toEqual([1, 2, 3]);
  expect(storedAxes([-1], conv)).toEqual([0]);
  expect([...kerasAxes([1, 2, 3], conv)].sort()).toEqual([0, 1, 2]);
  const depthwise = permutedLayout([3, 3, 8, 2], [2, 3, 0, 1], [16, 1, 3, 3]);
  expect(storedAxes([0, 1], depthwise)).toEqual([2, 3]);
  expect(() => storedAxes([2], depthwise)).toThrow(
    'axis 2 of a weight of shape [3,3,8,2] cannot be constrained on its own',
  );
});

describe('parameters carry', () => {
  test.each([
    ['l1', l1(), { l1: 0.01 }],
    ['l2 by name', 'l2' as const, { l2: 0.01 }],
    ['l2', l2({ l2: 0.5 }), { l2: 0.5 }],
    ['l1l2', l1l2({ l1: 0.1 }), { l1: 0.1, l2: 0.01 }],
  ])('regularizer %s', (_, kernelRegularizer, expected) => {
    expect(parameterOf(dense({ units: 1, kernelRegularizer }), [2]).regularizer).toEqual(expected);
  });

  test.each([
    ['nonNeg', nonNeg(), { kind: 'nonNeg' }],
    ['unitNorm by name', 'unitNorm' as const, { kind: 'unitNorm', axes: [0] }],
    ['maxNorm', maxNorm({ maxValue: 3 }), { kind: 'maxNorm', maxValue: 3, axes: [0] }],
    ['minMaxNorm', minMaxNorm({ axis: 1 }), { kind: 'minMaxNorm', minValue: 0, maxValue: 1, rate: 1, axes: [1] }],
    ['unitNorm', unitNorm({ axis: [-1] }), { kind: 'unitNorm', axes: [1] }],
  ])('constraint %s', (_, kernelConstraint, expected) => {
    expect(parameterOf(dense({ units: 1, kernelConstraint }), [2]).constraint).toEqual(expected);
  });

  test('constraints of convolutions on stored axes, also inside a nested model', () => {
    const layer = conv2d({ filters: 2, kernelSize: 2, kernelConstraint: maxNorm({ axis: [0, 1, 2] }) });
    const inner = sequential({ name: 'inner', inputShape: [4, 4, 3], layers: [layer] });
    const outer = sequential({ inputShape: [4, 4, 3], layers: [modelLayer(inner)] });
    for (const built of [inner, outer]) expect(built.parameters[0]?.constraint).toMatchObject({ axes: [1, 2, 3] });
    const depth = depthwiseConv2d({ kernelSize: 2, depthwiseConstraint: maxNorm({ axis: [0, 1] }) });
    expect(parameterOf(depth, [4, 4, 3]).constraint).toMatchObject({ axes: [2, 3] });
  });
});

test('trainable layers, frozen layers and statistics', () => {
  const built = sequential({
    inputShape: [2],
    layers: [dense({ units: 1, trainable: false }), dense({ units: 1, useBias: false })],
  });
  expect(built.parameters.map(({ name, trainable }) => [name, trainable])).toEqual([
    ['dense.kernel', false],
    ['dense.bias', false],
    ['dense_1.kernel', true],
  ]);
  built.setTrainable('dense', true);
  expect(built.parameters.every(({ trainable }) => trainable)).toBe(true);
  built.setWeights({ 'dense_1.kernel': tensor([[4]]) });
  expect(built.getWeights()['dense_1.kernel']).toEqual(tensor([[4]]));
});
