import { describe, expect, test } from 'vitest';
import { allocateData, type DType, dtypeFacts, dtypes, isBigInt, isDataOf, viewData } from './dtype.js';
import { dtypeOfOnnx, onnxDataType } from './onnx-data-type.js';
import { castTensor, fromNumbers, fullTensor, reshapeTensor, Tensor, tensor, toNumbers, zeros } from './tensor.js';

const numeric = dtypes.filter((dtype): dtype is Exclude<DType, 'string'> => dtype !== 'string');

describe.each(dtypes)('%s', (dtype) => {
  test('storage, zeros and ONNX number agree', () => {
    const held = zeros(dtype, [2, 3]);
    expect(isDataOf(dtype, held.data)).toBe(true);
    expect(held.elementCount).toBe(6);
    expect(held.rank).toBe(2);
    expect(dtypeOfOnnx(onnxDataType(dtype))).toBe(dtype);
    if (dtype === 'string') return;
    const bytes = dtypeFacts[dtype].bytes;
    expect((held.data as Uint8Array).BYTES_PER_ELEMENT).toBe(bytes);
    const view = viewData(dtype, new ArrayBuffer(4 * bytes), bytes, 2);
    expect(view.length).toBe(2);
  });
});

describe('numbers', () => {
  test.each(numeric)('small ones pass through %s unchanged', (dtype) => {
    const values = dtype === 'bool' ? [0, 1, 1] : [0, 1, 5];
    const held = fromNumbers(dtype, [3], values);
    expect([...toNumbers(held)]).toEqual(values);
    expect([...toNumbers(castTensor(held, 'float64'))]).toEqual(values);
    expect([...toNumbers(fullTensor(dtype, [2], 1))]).toEqual([1, 1]);
  });

  test('floats truncate toward zero into integers', () => {
    for (const dtype of ['int8', 'int16', 'int32', 'int64', 'int4'] as const) {
      expect([...toNumbers(fromNumbers(dtype, [4], [1.9, -1.9, 0.5, -0.5]))].map((x) => x + 0)).toEqual([1, -1, 0, 0]);
    }
  });

  test('int64 and uint64 keep every bit when they become each other', () => {
    const held = tensor([-1n, 2n ** 62n + 1n]);
    expect(held.dtype).toBe('int64');
    expect([...castTensor(held, 'uint64').data]).toEqual([2n ** 64n - 1n, 2n ** 62n + 1n]);
  });

  test('only int64 and uint64 store bigints', () => {
    expect(dtypes.filter(isBigInt)).toEqual(['int64', 'uint64']);
    expect(typeof allocateData('int64', 1)[0]).toBe('bigint');
  });
});

describe('tensor()', () => {
  test('reads shape and dtype from what is given', () => {
    const cases = [
      [3, 'float32', []],
      [[[1], [2]], 'float32', [2, 1]],
      [[true, false], 'bool', [2]],
      [[1n], 'int64', [1]],
      [['a', 'b'], 'string', [2]],
      [[], 'float32', [0]],
      [new Float64Array(3), 'float32', [3]],
    ] as const;
    for (const [values, dtype, shape] of cases) {
      const held = tensor(values);
      expect([held.dtype, [...held.shape]]).toEqual([dtype, [...shape]]);
    }
  });

  test('a flat sequence takes the shape it is told', () => {
    expect(tensor([1, 2, 3, 4], { shape: [2, 2] })).toEqual(
      tensor([
        [1, 2],
        [3, 4],
      ]),
    );
  });

  test('reshaping shares the elements', () => {
    const held = tensor([1, 2, 3, 4]);
    const square = reshapeTensor(held, [2, 2]);
    expect(square.data).toBe(held.data);
    expect(() => reshapeTensor(held, [3])).toThrow('has 3 elements, but 4 values were given');
  });

  test('extents must be whole and not negative', () => {
    for (const shape of [[-1], [1.5], [Number.NaN]]) {
      expect(() => new Tensor('float32', shape, new Float32Array(1))).toThrow('is not a shape');
    }
  });
});
