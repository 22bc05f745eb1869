import { describe, expect, test } from 'vitest';
import { isModelwrightError } from '../errors.js';
import { counterUniform } from '../ops/counter-uniform.js';
import { allocateData, dtypeFacts, dtypes } from '../tensor/dtype.js';
import { fromNumbers, Tensor, tensor } from '../tensor/tensor.js';
import { decodeSafetensors, encodeSafetensors } from './safetensors.js';

const stored = dtypes.filter((dtype) => !['string', 'int4', 'uint4'].includes(dtype));

/** A file made by hand from the format's description: length, header, data. */
function fileOf(header: string, dataBytes: number): Uint8Array {
  const json = new TextEncoder().encode(header);
  const file = new Uint8Array(8 + json.length + dataBytes);
  new DataView(file.buffer).setUint32(0, json.length, true);
  file.set(json, 8);
  return file;
}

test.each(stored)('%s comes back as it was', (dtype) => {
  const tensors = {
    grid: fromNumbers(dtype, [2, 3], [0, 1, 2, 3, 4, 5]),
    scalar: fromNumbers(dtype, [], [1]),
    none: fromNumbers(dtype, [0, 4], []),
  };
  expect(decodeSafetensors(encodeSafetensors(tensors)).tensors).toEqual(tensors);
});

test('mixed dtypes are aligned, metadata and odd names are kept', () => {
  const tensors = {
    flag: tensor([true]),
    'a "b".kernel': tensor([1.5, -2]),
    counter: tensor([1n, 2n]),
    '0': new Tensor('uint8', [3], Uint8Array.of(1, 2, 3)),
    __proto: tensor([1]),
  };
  const metadata = { epoch: '3', 'zwei Wörter': '{"a":1}' };
  const file = encodeSafetensors(tensors, metadata);
  expect(decodeSafetensors(file)).toEqual({ tensors, metadata });
  // The file may lie anywhere in a larger buffer.
  const shifted = new Uint8Array(file.length + 3);
  shifted.set(file, 3);
  expect(decodeSafetensors(shifted.subarray(3)).tensors).toEqual(tensors);
});

test('reads a file laid out by hand', () => {
  const file = fileOf('{"w":{"dtype":"I16","shape":[2],"data_offsets":[0,4]},"__metadata__":{"format":"pt"}}', 4);
  file.set([1, 0, 255, 255], file.length - 4);
  expect(decodeSafetensors(file)).toEqual({
    tensors: { w: tensor([1, -1], { dtype: 'int16' }) },
    metadata: { format: 'pt' },
  });
});

describe('refuses', () => {
  const u8 = (from: number, to: number): string =>
    `{"dtype":"U8","shape":[${to - from}],"data_offsets":[${from},${to}]}`;
  test.each([
    ['a cut-off length', new Uint8Array(5), '5 bytes cannot hold'],
    [
      'a header beyond the file',
      fileOf('{}', 0).subarray(0, 9),
      'its header is 2 bytes long, but the file ends after 1',
    ],
    ['a header beyond 100 MB', Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 1), '100000000 are allowed'],
    ['other JSON', fileOf('[1]', 0), "does not begin with '{'"],
    ['broken JSON', fileOf('{"a":', 0), 'is not JSON'],
    ['broken UTF-8', fileOf('{"a"}', 0).map((byte) => (byte === 0x61 ? 0xff : byte)), 'is not JSON in UTF-8'],
    ['names given twice', fileOf(`{"a":${u8(0, 1)},"a":${u8(1, 2)}}`, 2), "'a' is given twice"],
    ['names given twice in disguise', fileOf(`{"a":${u8(0, 1)},"\\u0061":${u8(1, 2)}}`, 2), "'a' is given twice"],
    ['overlaps', fileOf(`{"a":${u8(0, 2)},"b":${u8(1, 3)}}`, 3), "'b' overlaps"],
    ['gaps', fileOf(`{"a":${u8(0, 1)},"b":${u8(2, 3)}}`, 3), 'a gap of 1 bytes'],
    ['data at the end that is nobody’s', fileOf(`{"a":${u8(0, 1)}}`, 2), 'take 1 bytes, but 2 follow'],
    ['data that is missing', fileOf(`{"a":${u8(0, 4)}}`, 2), 'take 4 bytes, but 2 follow'],
    [
      'sizes that do not fit',
      fileOf('{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}', 4),
      'takes 8 bytes, but has 4',
    ],
    ['negative extents', fileOf('{"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}}', 1), 'no valid shape'],
    [
      'huge extents',
      fileOf('{"a":{"dtype":"U8","shape":[4503599627370496,4096],"data_offsets":[0,1]}}', 1),
      'but has 1',
    ],
    ['metadata that is no text', fileOf('{"__metadata__":{"a":1}}', 0), "note 'a' is not a string"],
  ])('%s', (_, file, message) => {
    expect(() => decodeSafetensors(file)).toThrow(message);
  });

  test('dtypes that the format or core lacks', () => {
    expect(() => encodeSafetensors({ words: tensor(['a']) })).toThrow("cannot hold 'words': it has no dtype string");
    const eight = fileOf('{"a":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}', 1);
    expect(() => decodeSafetensors(eight)).toThrow("'a' has the dtype F8_E4M3");
  });

  test('any damage with a typed error, or reads on', () => {
    let draws = 0;
    const below = (limit: number): number => Math.floor((counterUniform(5, draws++, 1)[0] as number) * limit);
    const sound = encodeSafetensors({ a: tensor([1, 2]), b: fromNumbers('int8', [3], [1, 2, 3]) }, { note: 'x' });
    let refused = 0;
    for (let round = 0; round < 3000; round++) {
      const damaged = sound.slice(0, below(8) === 0 ? below(sound.length) : sound.length);
      for (let changes = 0; changes < 3; changes++) damaged[below(damaged.length || 1)] = below(256);
      try {
        decodeSafetensors(damaged);
      } catch (error) {
        expect(isModelwrightError(error), String(error)).toBe(true);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(1000);
  });
});

test('data is as wide as the dtype says', () => {
  for (const dtype of stored) {
    const file = encodeSafetensors({ a: new Tensor(dtype, [8], allocateData(dtype, 8)) });
    const header = new DataView(file.buffer).getUint32(0, true);
    expect(file.length - 8 - header).toBe(8 * dtypeFacts[dtype].bytes);
    expect(header % 8).toBe(0);
  }
});
