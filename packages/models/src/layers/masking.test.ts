import { createPredictor, createReferenceBackend, type NestedNumbers, type Tensor, toNumbers } from '@modelwright/core';
import { describe, expect, test } from 'vitest';
import * as layers from '../index.js';
import { input, model, type SymbolicTensor } from '../index.js';

/** A model's outputs for inputs by name. */
async function run(
  inputs: { readonly [name: string]: SymbolicTensor },
  outputs: { readonly [name: string]: SymbolicTensor },
  given: { readonly [name: string]: NestedNumbers },
): Promise<{ readonly [name: string]: Tensor }> {
  const predictor = await createPredictor(model({ inputs, outputs }), createReferenceBackend());
  return predictor.predict(given);
}

const maskOf = (tensor: SymbolicTensor): SymbolicTensor => tensor.mask as SymbolicTensor;
// −0 is 0 here.
const numbers = (tensor: Tensor | undefined): readonly number[] =>
  [...toNumbers(tensor as Tensor)].map((value) => value + 0);

describe('masks', () => {
  test('masking leaves out the steps in which all features have the value', async () => {
    const x = input({ shape: [null, 2] });
    const y = layers.masking({ maskValue: -1 })(x);
    const results = await run(
      { x },
      { y, mask: maskOf(y) },
      {
        x: [
          [
            [1, 2],
            [-1, -1],
            [-1, 3],
          ],
        ],
      },
    );
    expect(results['mask']?.dtype).toBe('bool');
    expect(numbers(results['mask'])).toEqual([1, 0, 1]);
    expect(numbers(results['y'])).toEqual([1, 2, 0, 0, -1, 3]);
  });

  test('embedding with maskZero leaves out index 0', async () => {
    const x = input({ shape: [3], dtype: 'int32' });
    const y = layers.embedding({ inputDim: 5, outputDim: 2, maskZero: true })(x);
    const { mask } = await run({ x }, { mask: maskOf(y) }, { x: [[4, 0, 1]] });
    expect(numbers(mask)).toEqual([1, 0, 1]);
    expect(layers.embedding({ inputDim: 5, outputDim: 2 })(x).mask).toBeUndefined();
  });

  test.each([
    ['dense', layers.dense({ units: 3 })],
    ['activation', layers.activation('relu')],
    ['prelu', layers.prelu()],
    ['dropout', layers.dropout({ rate: 0.5 })],
    ['spatialDropout1d', layers.spatialDropout1d({ rate: 0.5 })],
    ['gaussianNoise', layers.gaussianNoise({ stddev: 1 })],
    ['layerNormalization', layers.layerNormalization()],
    ['batchNormalization', layers.batchNormalization()],
  ])('%s keeps the mask of its input', (_name, layer) => {
    const x = layers.masking()(input({ shape: [4, 3] }));
    expect(layer(x).mask).toBe(x.mask);
  });

  test.each([
    ['flatten', layers.flatten()],
    ['reshape', layers.reshape({ targetShape: [12] })],
    ['conv1d', layers.conv1d({ filters: 2, kernelSize: 1 })],
    ['globalMaxPooling1d', layers.globalMaxPooling1d()],
    ['globalAveragePooling1d', layers.globalAveragePooling1d()],
  ])('%s ends the mask', (_name, layer) => {
    expect(layer(layers.masking()(input({ shape: [4, 3] }))).mask).toBeUndefined();
  });

  test('layers that merge count a step that counts in any input, and all steps if an input has no mask', async () => {
    const [a, b] = [input({ shape: [3, 1] }), input({ shape: [3, 1] })];
    const [maskedA, maskedB] = [layers.masking()(a), layers.masking()(b)];
    const sum = layers.add()(maskedA, maskedB);
    const beside = layers.concatenate()(maskedA, maskedB);
    const behind = layers.concatenate({ axis: 1 })(maskedA, b);
    const results = await run(
      { a, b },
      { sum: maskOf(sum), beside: maskOf(beside), behind: maskOf(behind) },
      { a: [[[1], [0], [0]]], b: [[[0], [0], [1]]] },
    );
    expect(numbers(results['sum'])).toEqual([1, 0, 1]);
    expect(numbers(results['beside'])).toEqual([1, 0, 1]);
    expect(numbers(results['behind'])).toEqual([1, 0, 0, 1, 1, 1]);
    expect(layers.add()(maskedA, b).mask).toBeUndefined();
    expect(layers.concatenate()(maskedA, b).mask).toBeUndefined();
  });

  test('globalAveragePooling1d is the mean of the steps that count', async () => {
    const x = input({ shape: [3, 2] });
    const y = layers.globalAveragePooling1d()(layers.masking()(x));
    const results = await run(
      { x },
      { y },
      {
        x: [
          [
            [1, 2],
            [0, 0],
            [3, 8],
          ],
        ],
      },
    );
    expect(numbers(results['y'])).toEqual([2, 5]);
  });

  test('attachMask gives a mask of numbers or truth values', async () => {
    const [x, which] = [input({ shape: [3, 2] }), input({ shape: [3], dtype: 'int32' })];
    const y = layers.attachMask()(x, which);
    const results = await run(
      { x, which },
      { y: layers.globalAveragePooling1d()(y) },
      {
        x: [
          [
            [1, 2],
            [3, 4],
            [5, 6],
          ],
        ],
        which: [[0, 2, 1]],
      },
    );
    expect(numbers(results['y'])).toEqual([4, 5]);
  });

  test('a model knows the masks of its outputs, and none that nothing reads', () => {
    const x = input({ shape: [4], dtype: 'int32' });
    const embedded = layers.embedding({ inputDim: 5, outputDim: 2, maskZero: true })(x);
    const steps = model({ inputs: x, outputs: layers.dense({ units: 1 })(embedded) });
    expect(steps.outputMasks.get('output')).toMatchObject({ dtype: 'bool', shape: ['batch', 4] });
    const whole = model({ inputs: x, outputs: layers.flatten()(embedded) });
    expect(whole.outputMasks.size).toBe(0);
    expect(whole.graph.nodes.map(({ op }) => op)).toEqual(['Gather', 'Flatten']);
  });

  test('a model used as a layer gives out the masks it makes', async () => {
    const indices = input({ shape: [3], dtype: 'int32' });
    const inner = model({
      inputs: indices,
      outputs: layers.embedding({ inputDim: 5, outputDim: 2, maskZero: true })(indices),
    });
    const x = input({ shape: [3], dtype: 'int32' });
    const { mask } = await run({ x }, { mask: maskOf(inner.apply(x)) }, { x: [[0, 0, 3]] });
    expect(numbers(mask)).toEqual([0, 0, 1]);
  });
});
