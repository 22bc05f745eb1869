import { describe, expect, test } from 'vitest';
import { GraphBuilder } from '../graph/graph-builder.js';
import type { Shape } from '../tensor/shape.js';
import type { ConvAttributes, ConvTransposeAttributes } from './convolution.js';

function conv(x: Shape, w: Shape, attributes: Partial<ConvAttributes> = {}, bias?: Shape): Shape {
  const builder = new GraphBuilder();
  const inputs = [builder.input('x', 'float32', x), builder.input('w', 'float32', w)];
  if (bias !== undefined) inputs.push(builder.input('b', 'float32', bias));
  return builder.scoped({ name: 'stem.conv', kind: 'conv2d' }, () => builder.op('Conv', inputs, attributes).shape);
}

function convTranspose(x: Shape, w: Shape, attributes: Partial<ConvTransposeAttributes> = {}): Shape {
  const builder = new GraphBuilder();
  return builder.op('ConvTranspose', [builder.input('x', 'float32', x), builder.input('w', 'float32', w)], attributes)
    .shape;
}

describe('a convolution that cannot be says so in the words of its layer', () => {
  test.each([
    [
      "conv2d 'stem.conv': input has 3 channels, weight expects 1 (groups = 1). Input [8,3,28,28], weight [16,1,3,3].",
      () => conv([8, 3, 28, 28], [16, 1, 3, 3]),
    ],
    ['input has 4 channels, weight expects 6 (groups = 3)', () => conv([1, 4, 5, 5], [6, 2, 3, 3], { group: 3 })],
    ['5 filters do not divide into 2 groups', () => conv([1, 4, 5, 5], [5, 2, 3, 3], { group: 2 })],
    ['input and weight need the same rank ≥ 3', () => conv([1, 4, 5], [5, 4, 3, 3])],
    [
      'a window of 3 (dilation 4) covers 9 elements, but spatial axis 1 has 6 + padding 1 + 1',
      () => conv([1, 1, 9, 6], [1, 1, 3, 3], { dilations: [4, 4], pads: [0, 1, 0, 1] }),
    ],
    ['bias has shape [3]; [4] is needed', () => conv([1, 1, 5, 5], [4, 1, 3, 3], {}, [3])],
    ['strides is [2]; 2 integers ≥ 1 are needed', () => conv([1, 1, 5, 5], [4, 1, 3, 3], { strides: [2] })],
    ['pads is [1,1,-1,1]; 4 integers ≥ 0 are needed', () => conv([1, 1, 5, 5], [4, 1, 3, 3], { pads: [1, 1, -1, 1] })],
    [
      'kernel_shape is [2,2], but the weight is [4,1,3,3]',
      () => conv([1, 1, 5, 5], [4, 1, 3, 3], { kernel_shape: [2, 2] }),
    ],
    ['group is 0; an integer ≥ 1 is needed', () => conv([1, 1, 5, 5], [4, 1, 3, 3], { group: 0 })],
    [
      'the result would have the spatial shape [-1,1]',
      () => convTranspose([1, 1, 1, 1], [1, 1, 1, 1], { pads: [1, 0, 1, 0] }),
    ],
    ['input has 2 channels, weight expects 3', () => convTranspose([1, 2, 4, 4], [3, 1, 2, 2])],
  ])('%s', (message, build) => {
    expect(build).toThrow(message);
  });
});

describe('symbolic extents', () => {
  test('a convolution that keeps the size keeps the symbols', () => {
    expect(conv(['batch', 3, 'height', 'width'], [8, 3, 3, 3], { pads: [1, 1, 1, 1] })).toEqual([
      'batch',
      8,
      'height',
      'width',
    ]);
  });

  test('strides divide, also under SAME padding', () => {
    const same = conv(['batch', 3, 'height', 8], [8, 3, 3, 3], { auto_pad: 'SAME_UPPER', strides: [2, 2] });
    expect(same).toEqual(['batch', 8, 'floor((height+1)/2)', 4]);
    expect(conv(['batch', 3, 'height', 8], [8, 3, 2, 2], { strides: [2, 2] })).toEqual([
      'batch',
      8,
      'floor(height/2)',
      4,
    ]);
  });

  test('a transposed convolution multiplies', () => {
    expect(convTranspose(['batch', 4, 'height', 5], [4, 2, 2, 2], { strides: [2, 2], auto_pad: 'SAME_UPPER' })).toEqual(
      ['batch', 2, '2*height', 10],
    );
  });
});
