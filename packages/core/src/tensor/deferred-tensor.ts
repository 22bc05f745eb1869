import type { DType, TensorDataByDType } from './dtype.js';
import { elementCountOf, Tensor } from './tensor.js';

/**
 * A tensor whose elements are made when `data` is first read: a network of millions of weights can be built, counted and
 * given other weights without them. From then on it is like any other.
 *
 * @param shape - Extents, each an integer ≥ 0.
 * @param make - Gives exactly `∏ shape` elements; called at most once, unless it throws.
 * @throws {@link ModelwrightError} `shape-mismatch` for what is not a shape; when read, as the constructor of `Tensor`.
 */
export function deferredTensor<D extends DType>(
  dtype: D,
  shape: readonly number[],
  make: () => TensorDataByDType[D],
): Tensor<D> {
  elementCountOf(shape);
  const deferred = Object.create(Tensor.prototype) as Tensor<D>;
  const property = { enumerable: true, configurable: true };
  return Object.defineProperties(deferred, {
    dtype: { ...property, value: dtype },
    shape: { ...property, value: shape },
    data: {
      ...property,
      get() {
        const { data } = new Tensor(dtype, shape, make());
        Object.defineProperty(deferred, 'data', { ...property, value: data });
        return data;
      },
    },
  });
}
