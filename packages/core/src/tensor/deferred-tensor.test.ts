import { expect, test } from 'vitest';
import { deferredTensor } from './deferred-tensor.js';
import { reshapeTensor, Tensor } from './tensor.js';

test('elements are made once, when they are first read', () => {
  let made = 0;
  const deferred = deferredTensor('float32', [2, 3], () => {
    made++;
    return Float32Array.from([1, 2, 3, 4, 5, 6]);
  });
  expect(deferred).toBeInstanceOf(Tensor);
  expect([deferred.dtype, deferred.shape, deferred.rank, deferred.elementCount, made]).toEqual([
    'float32',
    [2, 3],
    2,
    6,
    0,
  ]);
  expect(deferred.data[4]).toBe(5);
  expect(deferred.data).toBe(deferred.data);
  expect(made).toBe(1);
  expect(reshapeTensor(deferred, [6]).data).toBe(deferred.data);
});

test('is equal to a tensor of the same elements, and copied by a structured clone', () => {
  const make = () => Float32Array.from([7]);
  expect(deferredTensor('float32', [1], make)).toEqual(new Tensor('float32', [1], make()));
  expect(structuredClone({ ...deferredTensor('float32', [1], make) })).toEqual({
    dtype: 'float32',
    shape: [1],
    data: make(),
  });
});

test('what is wrong with the shape shows at once, what is wrong with the elements when they are read', () => {
  expect(() => deferredTensor('float32', [-1], () => new Float32Array(1))).toThrow('is not a shape');
  const short = deferredTensor('float32', [2], () => new Float32Array(1));
  expect(() => short.data).toThrow('has 2 elements, but 1 values were given');
});
