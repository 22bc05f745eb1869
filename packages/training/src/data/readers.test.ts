import { gzipSync } from 'node:zlib';
import { type Tensor, tensor, toNumbers } from '@modelwright/core';
import { describe, expect, test } from 'vitest';
import { parseCsv } from './csv-parser.js';
import { fromCsv, fromIdx, parseIdx } from './index.js';

const tensorAt = (field: unknown): Tensor => field as Tensor;

function idx(code: number, shape: readonly number[], payload: Uint8Array): Uint8Array {
  const header = new DataView(new ArrayBuffer(4 + 4 * shape.length));
  header.setUint8(2, code);
  header.setUint8(3, shape.length);
  shape.forEach((extent, axis) => {
    header.setUint32(4 + 4 * axis, extent);
  });
  return Uint8Array.of(...new Uint8Array(header.buffer), ...payload);
}

describe('IDX', () => {
  const images = idx(8, [2, 2, 3], Uint8Array.of(0, 51, 102, 153, 204, 255, 1, 2, 3, 4, 5, 6));
  const labels = idx(8, [2], Uint8Array.of(7, 3));

  test('images become float32 in [0, 1] with a channel axis, gzipped or not', async () => {
    for (const bytes of [images, new Uint8Array(gzipSync(images))]) {
      const [batch] = await (await fromIdx(bytes, labels)).batch(2).toArray();
      expect(tensorAt(batch?.inputs).shape).toEqual([2, 2, 3, 1]);
      const pixels = [...toNumbers(tensorAt(batch?.inputs))].slice(0, 6);
      expect(pixels.map((pixel) => Math.round(pixel * 255))).toEqual([0, 51, 102, 153, 204, 255]);
      expect([...toNumbers(tensorAt(batch?.targets))]).toEqual([7, 3]);
    }
  });

  test('wider elements are big-endian', async () => {
    expect(await parseIdx(idx(12, [2], Uint8Array.of(0, 0, 1, 2, 255, 255, 255, 255)))).toEqual(
      tensor([258, -1], { dtype: 'int32' }),
    );
  });

  test('damaged files are refused', async () => {
    await expect(parseIdx(Uint8Array.of(1, 2, 3, 4), 'a.idx')).rejects.toThrow('a.idx is not an IDX file');
    await expect(parseIdx(images.subarray(0, 9))).rejects.toThrow('ends in its header of 16 bytes');
    await expect(parseIdx(images.subarray(0, 20))).rejects.toThrow(
      'declares uint8 [2,2,3], which takes 28 bytes, but has 20',
    );
    await expect(parseIdx(new Uint8Array(gzipSync(images)).subarray(0, 20))).rejects.toThrow('cannot be unpacked');
    await expect(fromIdx(images, idx(8, [1], Uint8Array.of(1)))).rejects.toThrow(
      'inputs has 2 examples, but targets has 1',
    );
  });
});

describe('CSV', () => {
  const text = 'width,"height, in m",kind\r\n1.5,2,cat\r\n\r\n3,"4","a ""dog"""\r\n';
  const options = { label: 'kind', categories: { kind: ['cat', 'a "dog"'] } };

  test('columns by name, categories, quotes and line breaks', async () => {
    const [batch] = await fromCsv(text, options).batch(8).toArray();
    expect(batch?.inputs).toEqual(
      tensor([
        [1.5, 2],
        [3, 4],
      ]),
    );
    expect(batch?.targets).toEqual(tensor([0, 1]));
  });

  test('the same whatever the pieces it comes in', async () => {
    const whole = await fromCsv(text, options).toArray();
    const bytes = new TextEncoder().encode(text);
    for (const size of [1, 3, 7]) {
      const pieces = (): Uint8Array[] =>
        Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
          bytes.subarray(index * size, (index + 1) * size),
        );
      expect(await fromCsv(pieces, options).toArray()).toEqual(whole);
    }
  });

  test('without a header columns go by index', async () => {
    const [sample] = await fromCsv('1;2;3', { header: false, delimiter: ';', features: [2, 0], label: [1] }).toArray();
    expect(sample).toEqual({ inputs: tensor([3, 1]), targets: tensor([2]) });
  });

  test.each([
    ['a,b\n1', {}, 'CSV line 2 has 1 fields, 2 are expected'],
    ['a,b\n1,x', {}, "CSV line 2 column 'b' is 'x', which is no number"],
    ['a,b\n\n1,', {}, "CSV line 3 column 'b' is empty"],
    ['a,b\n1,2', { label: 'c' }, "no column 'c'; it has: a,b"],
    ['a\n"1', {}, 'CSV line 2: a quoted field is not closed'],
    ['a\n"1"2', {}, "CSV line 2: '2' follows a closing quote"],
    ['a\nx', { categories: { a: ['y', 'z'] } }, "'x', none of: y, z"],
  ])('%j is refused', async (source, wrong, message) => {
    await expect(fromCsv(source, wrong).toArray()).rejects.toThrow(message);
  });

  test('quoted fields keep their line breaks', async () => {
    const records = [];
    for await (const record of parseCsv(['a,"b\nc"\n"",d\n'])) records.push(record);
    expect(records).toEqual([
      { fields: ['a', 'b\nc'], line: 1 },
      { fields: ['', 'd'], line: 3 },
    ]);
  });
});
