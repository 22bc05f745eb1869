import { zeros } from '@modelwright/core';
import { expect, test } from 'vitest';
import { conv2d, dense, flatten, type Initializer, modelLayer, sequential } from '../index.js';

function counting(deferred: boolean): { readonly initializer: Initializer; calls(): number } {
  let calls = 0;
  const draw = (shape: readonly number[]): number[] => {
    calls++;
    return Array.from({ length: shape.reduce((product, extent) => product * extent, 1) }, (_, index) => index);
  };
  return { initializer: Object.assign(draw, { deferred }), calls: () => calls };
}

const modelOf = (kernelInitializer: Initializer) =>
  sequential({
    inputShape: [4, 4, 1],
    layers: [conv2d({ filters: 2, kernelSize: 2, kernelInitializer }), flatten(), dense({ units: 1 })],
  });

test('weights that may wait are drawn when they are first read, once', () => {
  const { initializer, calls } = counting(true);
  const model = modelOf(initializer);
  const outer = sequential({ inputShape: [4, 4, 1], layers: [modelLayer(model)] });
  expect([model.parameterCount, outer.parameterCount, calls()]).toEqual([2 * 4 + 2 + 18 + 1, 29, 0]);
  const kernel = model.getWeights()['conv2d.kernel'];
  // Filters stand last in Keras, first in the graph.
  expect([...(kernel?.data ?? [])]).toEqual([0, 2, 4, 6, 1, 3, 5, 7]);
  expect(outer.getWeights()['sequential.conv2d.kernel']).toEqual(kernel);
  expect(calls()).toBe(1);
});

test('weights that others take the place of are never drawn', () => {
  const { initializer, calls } = counting(true);
  const model = modelOf(initializer);
  model.setWeights({ 'conv2d.kernel': zeros('float32', [2, 1, 2, 2]) });
  expect(model.getWeights()['conv2d.kernel']?.data[3]).toBe(0);
  expect(calls()).toBe(0);
});

test('an initializer of one’s own is called at once: it may fail', () => {
  const { initializer, calls } = counting(false);
  modelOf(initializer);
  expect(calls()).toBe(1);
  expect(() => modelOf(() => zeros('float32', [3]))).toThrow("the initializer of 'conv2d.kernel' gave [3]");
});
