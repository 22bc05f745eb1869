import {
  createPredictor,
  createReferenceBackend,
  fromNumbers,
  type Tensor,
  tensor,
  toNumbers,
} from '@modelwright/core';
import { expect, test } from 'vitest';
import {
  averagePooling2d,
  conv1d,
  conv2d,
  depthwiseConv2d,
  type Layer,
  maxPooling2d,
  separableConv2d,
  sequential,
  zeroPadding1d,
  zeroPadding2d,
} from '../index.js';

const image = fromNumbers(
  'float32',
  [1, 5, 4, 2],
  Array.from({ length: 40 }, (_, index) => 1 + Math.abs(Math.sin(7 * index))),
);
const series = fromNumbers('float32', [1, 20, 2], image.data);

async function run(input: Tensor, ...layers: Layer[]): Promise<Tensor> {
  const model = sequential({ inputShape: input.shape.slice(1), layers, seed: 3 });
  const predictor = await createPredictor(model, createReferenceBackend());
  return (await predictor.predict(input))['output'] as Tensor;
}

const sides = [
  [1, 2],
  [0, 1],
] as const;

test.each([
  ['conv2d', (padding: 0 | 1 | typeof sides) => conv2d({ filters: 3, kernelSize: 3, strides: 2, padding, name: 'x' })],
  ['depthwiseConv2d', (padding: 0 | 1 | typeof sides) => depthwiseConv2d({ kernelSize: 3, padding, name: 'x' })],
  [
    'separableConv2d',
    (padding: 0 | 1 | typeof sides) => separableConv2d({ filters: 2, kernelSize: 3, padding, name: 'x' }),
  ],
  ['maxPooling2d', (padding: 0 | 1 | typeof sides) => maxPooling2d({ poolSize: 3, strides: 2, padding })],
])('%s pads by so many elements', async (_, layer) => {
  for (const padding of [1, sides] as const) {
    expect(await run(image, layer(padding))).toEqual(await run(image, zeroPadding2d({ padding }), layer(0)));
  }
});

test('one pair for the only axis means both of its sides', async () => {
  const layer = (padding: number | readonly [number, number]) =>
    conv1d({ filters: 2, kernelSize: 4, padding, name: 'x' });
  expect(await run(series, layer([3, 1]))).toEqual(await run(series, zeroPadding1d({ padding: [3, 1] }), layer(0)));
});

test('padding does not count in averages', async () => {
  const averages = await run(
    tensor([[[[2], [4]]]]),
    averagePooling2d({ poolSize: [1, 2], strides: 1, padding: [0, 1] }),
  );
  expect([...toNumbers(averages)]).toEqual([2, 3, 4]);
});

test('what is no padding is refused', () => {
  expect(() => conv2d({ filters: 1, kernelSize: 3, padding: [1] })).toThrow('conv2d: padding is [1]');
  expect(() => maxPooling2d({ padding: -1 })).toThrow('maxPooling2d: padding is -1');
});
