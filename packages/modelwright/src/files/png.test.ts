import { fromNumbers, isModelwrightError, type Shape, Tensor, tensor, toNumbers } from '@modelwright/core';
import { resizeImage } from '@modelwright/deployment';
import { PNG } from 'pngjs';
import { describe, expect, test } from 'vitest';
import { decodePng, encodePng } from './png.js';

const width = 5;
const height = 4;
const pixel = (x: number, y: number): [number, number, number, number] => [x * 40, y * 60, 255 - x * 40, 255];

function colorPng(): Uint8Array {
  const image = new PNG({ width, height });
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) image.data.set(pixel(x, y), (y * width + x) * 4);
  return PNG.sync.write(image);
}

const input = (shape: Shape, dtype: 'float32' | 'uint8' = 'float32') => ({ name: 'image', dtype, shape });
const decode = (shape: Shape, dtype?: 'uint8', pixels = {}): Tensor =>
  decodePng(colorPng(), { file: 'a.png', input: input(shape, dtype), pixels }).tensor;

describe('a PNG takes the layout of the input', () => {
  test('[batch, height, width, 3] in floats of 0…1', () => {
    const decoded = decode(['batch', height, width, 3]);
    expect(decoded.shape).toEqual([1, height, width, 3]);
    const [red, green, blue] = pixel(3, 2);
    const at = (2 * width + 3) * 3;
    expect(Array.from(toNumbers(decoded).subarray(at, at + 3), (value) => Math.round(value * 255))).toEqual([
      red,
      green,
      blue,
    ]);
  });

  test('[batch, 3, height, width] holds the same in planes', () => {
    const last = toNumbers(decode(['batch', height, width, 3]));
    const first = toNumbers(decode(['batch', 3, height, width]));
    for (let c = 0; c < 3; c++) {
      for (let at = 0; at < width * height; at++) expect(first[c * width * height + at]).toBe(last[at * 3 + c]);
    }
  });

  test('integers stay 0…255', () => {
    expect(toNumbers(decode([1, height, width, 3], 'uint8')).subarray(0, 3)).toEqual(Float64Array.of(0, 0, 255));
  });

  test('one channel is the luma, and `invert` swaps black and white', () => {
    const grey = toNumbers(decode([1, height, width, 1]));
    expect(grey[1]! * 255).toBeCloseTo(0.299 * 40 + 0.114 * 215, 4);
    const inverted = toNumbers(decode([1, height, width, 1], undefined, { invert: true }));
    grey.forEach((value, at) => {
      expect(inverted[at]).toBeCloseTo(1 - value, 6);
    });
  });

  test('mean and std a channel', () => {
    const plain = toNumbers(decode([1, height, width, 3]));
    const adjusted = toNumbers(decode([1, height, width, 3], undefined, { mean: [0.1, 0.2, 0.3], std: [2, 4, 8] }));
    plain.forEach((value, at) => {
      expect(adjusted[at]).toBeCloseTo((value - [0.1, 0.2, 0.3][at % 3]!) / [2, 4, 8][at % 3]!, 6);
    });
  });

  test('a symbolic height and width take those of the image', () => {
    expect(decode(['n', 'h', 'w', 3]).shape).toEqual([1, height, width, 3]);
  });

  test('a square row takes a grey image, resized, and says so', () => {
    const { tensor: row, notes } = decodePng(colorPng(), { file: 'a.png', input: input(['batch', 784]) });
    expect(row.shape).toEqual([1, 784]);
    expect(notes).toEqual(["a.png: 5×4 resized to 28×28 for 'image'"]);
  });

  test('what is transparent shows white', () => {
    const clear = new PNG({ width: 1, height: 1 });
    const { tensor: decoded } = decodePng(PNG.sync.write(clear), { file: 'a.png', input: input([1, 1, 1, 1]) });
    expect(toNumbers(decoded)[0]).toBeCloseTo(1, 6);
  });

  test.each([[[3]], [[1, 2, 3, 4, 5]], [[1, 5, 5, 7]]])('an input of shape %j takes no image', (shape) => {
    expect(() => decode(shape)).toThrow(expect.objectContaining({ code: 'unsupported-shape' }));
  });

  test('bytes that are no PNG', () => {
    const broken = (): unknown => decodePng(new Uint8Array(20), { file: 'a.png', input: input([1, 4, 4, 1]) });
    expect(broken).toThrow(expect.objectContaining({ code: 'invalid-data' }));
  });
});

describe('a tensor becomes a PNG', () => {
  test.each([[[1, height, width, 3]], [[1, 3, height, width]], [[height, width, 3]]])(
    '%j comes back as it went',
    (shape) => {
      const original = decode([1, ...shape.slice(-3)], 'uint8');
      const reshaped = new Tensor('uint8', shape, original.data as Uint8Array);
      const again = decodePng(encodePng(reshaped, 'b.png'), { file: 'b.png', input: input(shape, 'uint8') }).tensor;
      expect(again.data).toEqual(original.data);
    },
  );

  test('floats are clamped to 0…1', () => {
    const png = PNG.sync.read(Buffer.from(encodePng(tensor([[-1, 0.5, 7]]), 'b.png')));
    expect([png.data[0], png.data[4], png.data[8]]).toEqual([0, 128, 255]);
  });

  test.each([[[2, 3, 3, 1]], [[5]], [[0, 0]]])('%j is not one image', (shape) => {
    const count = shape.reduce((product, extent) => product * extent, 1);
    let error: unknown;
    try {
      encodePng(fromNumbers('float32', shape, new Float32Array(count)), 'b.png');
    } catch (caught) {
      error = caught;
    }
    expect(isModelwrightError(error, 'unsupported-shape')).toBe(true);
  });
});

describe('resizing', () => {
  const flat = { width: 7, height: 5, channels: 2, pixels: new Float32Array(70).fill(42) };
  test.each([
    [3, 2],
    [14, 10],
    [1, 1],
    [7, 5],
  ])('an even image stays even at %i×%i', (toWidth, toHeight) => {
    const { pixels } = resizeImage(flat, toWidth, toHeight);
    expect(pixels.length).toBe(toWidth * toHeight * 2);
    for (const value of pixels) expect(value).toBeCloseTo(42, 3);
  });

  test('shrinking keeps the mean', () => {
    const pixels = Float32Array.from({ length: 64 }, (_, at) => (at * 37) % 251);
    const small = resizeImage({ width: 8, height: 8, channels: 1, pixels }, 4, 4).pixels;
    const mean = (values: Float32Array): number => values.reduce((sum, value) => sum + value, 0) / values.length;
    expect(Math.abs(mean(small) - mean(pixels))).toBeLessThan(6);
  });
});
