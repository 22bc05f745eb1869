import { isModelwrightError } from '@modelwright/core';
import { encode } from 'fast-png';
import { describe, expect, it } from 'vitest';
import type { ImageInput } from './processing.js';
import { readImages } from './read-image.js';

const input = { name: 'image', dtype: 'float32', shape: ['batch', 1, 2, 2] } as const;
const spec: ImageInput = { kind: 'image', width: 2, height: 2, channels: 1, layout: 'channelsFirst' };
const picture = (width: number, height: number): Uint8Array =>
  encode({ width, height, channels: 1, data: new Uint8Array(width * height).fill(255) });

describe('readImages', () => {
  it('reads pictures of any size', () => {
    const { shape, data } = readImages([picture(2, 2), picture(7, 3)], input, { spec });
    expect([shape, [...(data as Float32Array)]]).toEqual([[2, 1, 2, 2], Array(8).fill(1)]);
  });

  it.each([
    ['one that is too large', [picture(5, 5)], { maxPixels: 24 }],
    ['more of them than is allowed at once', [picture(4, 4), picture(4, 4)], { maxPixelsInAll: 31 }],
  ])('refuses %s', (_, pictures, limits) => {
    const read = (): unknown => readImages(pictures, input, { spec, limits });
    let thrown: unknown;
    try {
      read();
    } catch (error) {
      thrown = error;
    }
    expect(isModelwrightError(thrown, 'limit-exceeded')).toBe(true);
    expect(() => readImages(pictures, input, { spec })).not.toThrow();
  });
});
