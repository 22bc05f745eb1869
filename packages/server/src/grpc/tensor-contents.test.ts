import { create } from '@bufbuild/protobuf';
import { type DType, dtypes, fromNumbers, Tensor } from '@modelwright/core';
import { describe, expect, test } from 'vitest';
import { InferTensorContentsSchema } from '../generated/open-inference.generated.js';
import { hasList, readContents, writeContents } from './tensor-contents.js';

/** The ends of each range and what lies between. */
function sample(dtype: DType): Tensor {
  if (dtype === 'string') return new Tensor(dtype, [3], ['', 'ä', 'three']);
  if (dtype === 'int64') return new Tensor(dtype, [4], BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n, 0n, -1n));
  if (dtype === 'uint64') return new Tensor(dtype, [3], BigUint64Array.of(2n ** 64n - 1n, 0n, 300n));
  if (dtype === 'bool') return fromNumbers(dtype, [2], [1, 0]);
  if (dtype.startsWith('float')) return fromNumbers(dtype, [3], [-1.5, Number.NaN, Number.POSITIVE_INFINITY]);
  const [, kind, bits] = /^(u?int)(\d+)$/.exec(dtype) as unknown as [string, string, string];
  const half = 2 ** (Number(bits) - 1);
  return fromNumbers(dtype, [3], kind === 'int' ? [-half, half - 1, -1] : [2 * half - 1, 0, half]);
}

const withList = dtypes.filter(hasList);

describe('the lists of tensor contents', () => {
  test('hold every dtype but the 16-bit floats', () => {
    expect(dtypes.filter((dtype) => !hasList(dtype))).toEqual(['float16', 'bfloat16']);
  });

  test.each(withList)('give back %s exactly, also of no elements', (dtype) => {
    const given = sample(dtype);
    expect(readContents('x', dtype, given.shape, given.elementCount, writeContents(given))).toEqual(given);
    const empty = new Tensor(dtype, [0], given.data.slice(0, 0) as Tensor['data']);
    expect(readContents('x', dtype, [0], 0, writeContents(empty))).toEqual(empty);
  });

  test.each(withList)('refuse %s with more or fewer elements than the shape has', (dtype) => {
    const given = sample(dtype);
    for (const count of [given.elementCount - 1, given.elementCount + 1, 2 ** 27]) {
      expect(() => readContents('x', dtype, [count], count, writeContents(given))).toThrow(
        expect.objectContaining({ code: 'invalid-argument' }),
      );
    }
  });

  test.each([
    ['uint8', 256],
    ['uint16', 2 ** 16],
    ['bool', 2],
    ['uint4', 16],
  ] as const)('refuse for %s the number %i', (dtype, value) => {
    const contents = writeContents(fromNumbers('uint32', [1], [value]));
    const list = dtype === 'bool' ? { boolContents: contents.uintContents } : { uintContents: contents.uintContents };
    expect(() => readContents('x', dtype, [1], 1, create(InferTensorContentsSchema, list))).toThrow(
      expect.objectContaining({ code: 'value-out-of-range' }),
    );
  });

  test('refuse the list of another type, and a number that does not end', () => {
    const contents = writeContents(fromNumbers('float32', [1], [1]));
    const code = expect.objectContaining({ code: 'invalid-argument' });
    expect(() => readContents('x', 'float64', [1], 1, contents)).toThrow(code);
    const endless = create(InferTensorContentsSchema, { int64Contents: [new Uint8Array(20).fill(0xff)] });
    expect(() => readContents('x', 'int64', [1], 1, endless)).toThrow(code);
  });
});
