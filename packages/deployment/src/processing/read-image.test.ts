import { deflateSync } from 'node:zlib';
import { isModelwrightError, type Value } from '@modelwright/core';
import { encode as encodePng } from 'fast-png';
import { encode as encodeJpeg } from 'jpeg-js';
import { describe, expect, it } from 'vitest';
import { decodeImage } from './decode-image.js';
import type { ImageInput } from './processing.js';
import { readImages } from './read-image.js';

interface Chunk {
  readonly type: string;
  readonly data: Uint8Array;
}

/** A PNG chunk by chunk, for kinds that the encoder does not write. */
function png(chunks: readonly Chunk[]): Uint8Array {
  const parts = [Buffer.from([137, 80, 78, 71, 13, 10, 26, 10])];
  for (const { type, data } of [...chunks, { type: 'IEND', data: new Uint8Array(0) }]) {
    const head = Buffer.alloc(8);
    head.writeUInt32BE(data.length);
    head.write(type, 4, 'latin1');
    parts.push(head, Buffer.from(data), Buffer.alloc(4));
  }
  return new Uint8Array(Buffer.concat(parts));
}

function header(width: number, height: number, depth: number, colorType: number, interlace = 0): Chunk {
  const data = Buffer.alloc(13);
  data.writeUInt32BE(width);
  data.writeUInt32BE(height, 4);
  data.set([depth, colorType, 0, 0, interlace], 8);
  return { type: 'IHDR', data };
}

const rows = (...bytes: readonly number[]): Chunk => ({ type: 'IDAT', data: deflateSync(Buffer.from(bytes)) });
const grey = (bytes: Uint8Array): readonly number[] =>
  [...decodeImage(bytes, 1).pixels].map((value) => Math.round(value));
const color = (bytes: Uint8Array): readonly number[] =>
  [...decodeImage(bytes, 3).pixels].map((value) => Math.round(value));

describe('decodeImage', () => {
  it.each([1, 2, 4])('reads grey of %i bits a pixel, rows that end within a byte', (depth) => {
    const most = 2 ** depth - 1;
    const values = [0, most, most, 0, most];
    const packed = Buffer.alloc(Math.ceil((5 * depth) / 8));
    values.forEach((value, index) => {
      packed[(index * depth) >> 3]! |= value << (8 - depth - ((index * depth) & 7));
    });
    const bytes = png([header(5, 2, depth, 0), rows(0, ...packed, 0, ...packed)]);
    expect(grey(bytes)).toEqual([...values, ...values].map((value) => (value * 255) / most));
  });

  it('reads palettes, with transparency on white', () => {
    const palette = { type: 'PLTE', data: Uint8Array.of(255, 0, 0, 0, 0, 255) };
    const alpha = { type: 'tRNS', data: Uint8Array.of(255, 0) };
    expect(color(png([header(2, 1, 8, 3), palette, alpha, rows(0, 0, 1)]))).toEqual([255, 0, 0, 255, 255, 255]);
    expect(color(png([header(3, 1, 1, 3), palette, rows(0, 0b01000000)]))).toEqual([255, 0, 0, 0, 0, 255, 255, 0, 0]);
    const beyond = png([header(1, 1, 8, 3), palette, rows(0, 9)]);
    expect(() => decodeImage(beyond, 3)).toThrow(/a colour that its palette lacks/);
  });

  it('reads 16 bits, alpha and one transparent colour', () => {
    expect(grey(png([header(1, 1, 16, 0), rows(0, 0x80, 0x00)]))).toEqual([128]);
    expect(color(png([header(1, 1, 8, 6), rows(0, 10, 20, 30, 0)]))).toEqual([255, 255, 255]);
    expect(grey(png([header(1, 1, 8, 4), rows(0, 100, 128)]))).toEqual([Math.round(100 * (128 / 255) + 127)]);
    const clear = { type: 'tRNS', data: Uint8Array.of(0, 1, 0, 2, 0, 3) };
    expect(color(png([header(3, 1, 8, 2), clear, rows(0, 1, 2, 3, 1, 2, 4, 0, 0, 0)]))).toEqual([
      ...[255, 255, 255, 1, 2, 4, 0, 0, 0],
    ]);
  });

  it('reads interlaced pictures as plain ones', () => {
    const passes = [
      [0, 0, 8, 8],
      [4, 0, 8, 8],
      [0, 4, 4, 8],
      [2, 0, 4, 4],
      [0, 2, 2, 4],
      [1, 0, 2, 2],
      [0, 1, 1, 2],
    ] as const;
    const at = (x: number, y: number): number => x * 20 + y * 7;
    const bytes = passes.flatMap(([left, top, across, down]) => {
      const lines: number[] = [];
      for (let y = top; y < 5; y += down) {
        const line: number[] = [];
        for (let x = left; x < 6; x += across) line.push(at(x, y));
        if (line.length > 0) lines.push(0, ...line);
      }
      return lines;
    });
    const expected = Array.from({ length: 30 }, (_, index) => at(index % 6, Math.floor(index / 6)));
    expect(grey(png([header(6, 5, 8, 0, 1), rows(...bytes)]))).toEqual(expected);
  });

  it('reads JPEG', () => {
    const data = Buffer.alloc(16 * 16 * 4, 200);
    const { pixels, width } = decodeImage(new Uint8Array(encodeJpeg({ width: 16, height: 16, data }, 95).data), 3);
    expect(width).toBe(16);
    for (const value of pixels) expect(Math.abs(value - 200)).toBeLessThan(3);
  });
});

describe('a hostile picture', () => {
  const codeOf = (bytes: Uint8Array, limits = {}): string => {
    try {
      decodeImage(bytes, 1, limits);
      return 'read';
    } catch (error) {
      return isModelwrightError(error) ? error.code : `no error of ours: ${String(error)}`;
    }
  };

  it('is refused by its size before it is unpacked', () => {
    expect(codeOf(png([header(2 ** 31 - 1, 2 ** 31 - 1, 8, 0), rows(0)]))).toBe('limit-exceeded');
    expect(codeOf(png([header(100, 100, 8, 0), rows(0)]), { maxPixels: 9999 })).toBe('limit-exceeded');
    expect(codeOf(new Uint8Array(101), { maxBytes: 100 })).toBe('limit-exceeded');
    const jpeg = new Uint8Array(encodeJpeg({ width: 8, height: 8, data: Buffer.alloc(256) }, 50).data);
    const at = jpeg.findIndex((byte, index) => byte === 0xff && jpeg[index + 1] === 0xc0);
    jpeg.set([0xff, 0xff, 0xff, 0xff], at + 5);
    expect(codeOf(jpeg)).toBe('limit-exceeded');
  });

  it('cannot unpack to more than its header says, nor hide a bomb in what is not looked at', () => {
    const zeros = deflateSync(Buffer.alloc(2 ** 24));
    expect(zeros.length).toBeLessThan(20_000);
    const before = process.memoryUsage().arrayBuffers;
    expect(codeOf(png([header(4, 4, 8, 0), { type: 'IDAT', data: zeros }]))).toBe('invalid-data');
    const profile = { type: 'iCCP', data: Buffer.concat([Buffer.from('x\0\0', 'latin1'), zeros]) };
    expect(codeOf(png([header(1, 1, 8, 0), profile, rows(0, 7)]))).toBe('read');
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 26);
    expect(codeOf(png([header(1, 1, 8, 0), header(9999, 9999, 8, 0), rows(0, 7)]))).toBe('invalid-data');
  });

  it('never ends in anything but an error of ours', () => {
    const whole = [
      encodePng({ width: 7, height: 5, data: Uint8Array.from({ length: 105 }, (_, at) => at), channels: 3 }),
      new Uint8Array(encodeJpeg({ width: 9, height: 7, data: Buffer.alloc(252, 90) }, 60).data),
    ];
    let state = 1;
    const random = (below: number): number => {
      state = (state * 48271) % 2147483647;
      return state % below;
    };
    const outcomes = new Set<string>();
    for (let round = 0; round < 600; round++) {
      const bytes = whole[round % 2]!.slice(0, round % 5 === 0 ? random(whole[round % 2]!.length) : undefined);
      for (let change = random(4); change >= 0; change--) bytes[random(Math.max(1, bytes.length))] = random(256);
      outcomes.add(codeOf(bytes, { maxPixels: 2 ** 16 }));
    }
    for (const outcome of outcomes) expect(['read', 'invalid-data', 'limit-exceeded']).toContain(outcome);
  });
});

describe('readImages', () => {
  const input = (shape: Value['shape'], dtype: Value['dtype'] = 'float32'): Value => ({ name: 'x', dtype, shape });
  const spec: ImageInput = { kind: 'image', width: 2, height: 2, channels: 1, layout: 'channelsLast' };
  const picture = (width: number, height: number, data: readonly number[], channels: 1 | 3 = 1): Uint8Array =>
    encodePng({ width, height, data: Uint8Array.from(data), channels });

  it('scales, shifts and inverts', () => {
    const given = { ...spec, invert: true, mean: [0.5], std: [0.25] };
    const { data, shape } = readImages([picture(2, 2, [0, 255, 51, 102])], input(['batch', 2, 2, 1]), { spec: given });
    expect(shape).toEqual([1, 2, 2, 1]);
    [0, 255, 51, 102].forEach((value, index) => {
      expect(data[index]).toBeCloseTo(((255 - value) / 255 - 0.5) / 0.25, 5);
    });
  });

  it('lays out channels as the model wants them, integers unscaled', () => {
    const rgb = picture(2, 1, [1, 2, 3, 4, 5, 6], 3);
    const given: ImageInput = { ...spec, height: 1, channels: 3, layout: 'channelsFirst' };
    expect([...readImages([rgb], input(['n', 3, 1, 2], 'uint8'), { spec: given }).data]).toEqual([1, 4, 2, 5, 3, 6]);
    const last: ImageInput = { ...given, layout: 'channelsLast' };
    expect([...readImages([rgb, rgb], input(['n', 1, 2, 3], 'uint8'), { spec: last }).data].slice(6)).toEqual([
      1, 2, 3, 4, 5, 6,
    ]);
    expect(readImages([rgb], input(['n', 6], 'uint8'), { spec: last }).shape).toEqual([1, 6]);
    expect(() => readImages([rgb], input(['n', 7], 'uint8'), { spec: last })).toThrow(/cannot hold pictures/);
  });

  it('fits by filling, padding or cutting', () => {
    const wide = picture(4, 2, [10, 10, 90, 90, 10, 10, 90, 90]);
    const fitted = (fit: 'fill' | 'contain' | 'cover', resize: 'bilinear' | 'nearest' = 'nearest'): readonly number[] =>
      [...readImages([wide], input(['n', 2, 2, 1], 'uint8'), { spec: { ...spec, fit, resize } }).data].map(Number);
    expect(fitted('fill')).toEqual([10, 90, 10, 90]);
    expect(fitted('contain')).toEqual([10, 90, 0, 0]);
    expect(fitted('cover')).toEqual([10, 90, 10, 90]);
    // Every pixel of the source counts when it shrinks: 10 and 90 in their shares of the triangle.
    const [left, right] = fitted('fill', 'bilinear');
    expect(left! + right!).toBe(100);
    expect(left).toBeLessThan(30);
  });
});
