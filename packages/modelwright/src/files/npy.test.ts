import { readFileSync } from 'node:fs';
import { fromNumbers, isModelwrightError, type Tensor, tensor, toNumbers } from '@modelwright/core';
import { unzipSync } from 'fflate';
import { describe, expect, test } from 'vitest';
import { decodeNpy, encodeNpy } from './npy.js';
import { decodeNpz, encodeNpz } from './npz.js';

const fixtures = new URL('../../test/fixtures/', import.meta.url);
const archive = readFileSync(new URL('arrays.npz', fixtures));
const described: Record<string, { dtype: string; shape: number[]; values: string[] }> = JSON.parse(
  readFileSync(new URL('arrays.json', fixtures), 'utf8'),
);

describe('what NumPy wrote', () => {
  const tensors = decodeNpz(archive, 'arrays.npz');

  test.each(Object.entries(described))('%s is read as it is', (name, { dtype, shape, values }) => {
    const read = tensors[name]!;
    expect([read.dtype, read.shape]).toEqual([dtype, shape]);
    expect(textsOf(read)).toEqual(values.map((value) => pythonValue(value, dtype)));
  });

  const plain = Object.entries(unzipSync(archive)).filter(([name]) => name.startsWith('c_'));
  test.each(plain)('%s is written byte for byte as NumPy does', (name, bytes) => {
    expect(encodeNpy(decodeNpy(bytes, name))).toEqual(bytes);
  });
});

test('an archive comes back as it went', () => {
  const tensors = { a: tensor([[1, 2]]), 'deep/b': tensor([3n]) };
  expect(decodeNpz(encodeNpz(tensors), 'x.npz')).toEqual(tensors);
});

test('bfloat16, which NumPy lacks, is written as float32 of equal value', () => {
  const written = decodeNpy(encodeNpy(fromNumbers('bfloat16', [2], [1.5, -3])), 'x.npy');
  expect(written).toEqual(tensor([1.5, -3]));
});

describe('broken files', () => {
  const good = encodeNpy(tensor([1, 2, 3]));
  const header = (text: string): Uint8Array => {
    const bytes = new TextEncoder().encode(text);
    return Uint8Array.from([...good.subarray(0, 8), bytes.length & 255, bytes.length >> 8, ...bytes]);
  };
  test.each([
    ['empty', new Uint8Array(0)],
    ['no magic', new Uint8Array(100)],
    ['cut in the header', good.subarray(0, 40)],
    ['cut in the data', good.subarray(0, good.length - 1)],
    ['an object dtype', header("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }")],
    ['a structured dtype', header("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }")],
    ['complex numbers', header("{'descr': '<c8', 'fortran_order': False, 'shape': (0,), }")],
    ['a huge shape', header("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999, 9), }")],
    ['no shape', header("{'descr': '<f4', 'fortran_order': False}")],
  ])('%s: invalid-data naming the file', (_what, bytes) => {
    const error = catchError(() => decodeNpy(bytes, 'broken.npy'));
    expect(isModelwrightError(error, 'invalid-data')).toBe(true);
    expect(String(error)).toContain('broken.npy');
  });

  test('an archive that is none', () => {
    expect(
      isModelwrightError(
        catchError(() => decodeNpz(new Uint8Array(9), 'x.npz')),
        'invalid-data',
      ),
    ).toBe(true);
  });

  test('every truncation of an archive ends in a typed error or in fewer tensors', () => {
    for (let length = 0; length < archive.length; length += 97) {
      const error = catchError(() => decodeNpz(archive.subarray(0, length), 'x.npz'));
      if (error !== undefined) expect(isModelwrightError(error, 'invalid-data')).toBe(true);
    }
  });
});

function textsOf(read: Tensor): string[] {
  if (read.dtype === 'string') return read.data as string[];
  if (read.dtype === 'float16') return Array.from(toNumbers(read), String);
  return Array.from(read.data as Float64Array, (value) => (Object.is(value, -0) ? '-0' : String(value)));
}

function pythonValue(text: string, dtype: string): string {
  if (dtype === 'bool') return text === 'True' ? '1' : '0';
  if (dtype === 'string' || dtype.includes('int')) return text;
  const value = Number(text.replace('inf', 'Infinity'));
  return Object.is(value, -0) ? '-0' : String(value);
}

function catchError(action: () => unknown): unknown {
  try {
    action();
    return undefined;
  } catch (error) {
    return error;
  }
}
