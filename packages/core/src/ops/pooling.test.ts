import { describe, expect, test } from 'vitest';
import { GraphBuilder } from '../graph/graph-builder.js';
import { evaluateGraph } from '../reference/evaluate.js';
import type { Shape } from '../tensor/shape.js';
import { tensor, toNumbers } from '../tensor/tensor.js';
import type { PoolAttributes } from './pooling.js';

function pool(x: Shape, attributes: Partial<PoolAttributes>): Shape {
  const builder = new GraphBuilder();
  return builder.op('MaxPool', [builder.input('x', 'float32', x)], attributes).shape;
}

describe('a pooling that cannot be says why', () => {
  test.each([
    ["attribute 'kernel_shape' is required", () => pool([1, 1, 4, 4], {})],
    ['the window [2] has 1 axes', () => pool([1, 1, 4, 4], { kernel_shape: [2] })],
    [
      'padding 0,2 along spatial axis 1 must be smaller than the window',
      () => pool([1, 1, 4, 4], { kernel_shape: [2, 2], pads: [0, 0, 0, 2] }),
    ],
    ['a window of 5 (dilation 1) covers 5 elements', () => pool([1, 1, 4, 4], { kernel_shape: [5, 1] })],
  ])('%s', (message, build) => {
    expect(build).toThrow(message);
  });
});

test('rounding up opens no window in the end padding', () => {
  expect(pool([1, 1, 6, 6], { kernel_shape: [2, 2], strides: [3, 3], pads: [0, 0, 1, 1] })).toEqual([1, 1, 2, 2]);
  expect(pool([1, 1, 6, 6], { kernel_shape: [2, 2], strides: [3, 3], pads: [0, 0, 1, 1], ceil_mode: 1 })).toEqual([
    1, 1, 2, 2,
  ]);
  expect(pool([1, 1, 7, 7], { kernel_shape: [2, 2], strides: [3, 3], ceil_mode: 1 })).toEqual([1, 1, 3, 3]);
});

test('NaN is a maximum: what went wrong stays visible', () => {
  const builder = new GraphBuilder();
  builder.output(
    'y',
    builder.op('MaxPool', [builder.input('x', 'float32', [1, 1, 4])], { kernel_shape: [2], strides: [2] }),
  );
  const x = tensor([1, Number.NaN, 3, 2], { shape: [1, 1, 4] });
  const { y } = evaluateGraph(builder.build(), { x });
  expect([...toNumbers(y ?? x)]).toEqual([Number.NaN, 3]);
});
