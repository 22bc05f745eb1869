import type { DType } from '../tensor/dtype.js';
import { allocateData } from '../tensor/dtype.js';
import { stridesOf } from '../tensor/shape.js';
import { elementCountOf, Tensor } from '../tensor/tensor.js';

/** A window on a tensor's elements: element `index` of it lies at `offset + Σ index[axis]·strides[axis]`. */
export interface StridedView {
  readonly shape: readonly number[];
  /** In elements; 0 repeats, negative walks backwards. */
  readonly strides: readonly number[];
  /** Default 0. */
  readonly offset?: number;
}

/** The elements of `t` seen through `view`, as a dense tensor. Works for every dtype, strings included. */
export function stridedCopy<D extends DType>(t: Tensor<D>, view: StridedView): Tensor<D> {
  const { shape, strides, offset = 0 } = view;
  const data = allocateData(t.dtype, elementCountOf(shape));
  const [source, target] = [t.data as ArrayLike<unknown>, data as unknown as unknown[]];
  const last = shape.length - 1;
  let at = 0;
  const copy = (axis: number, from: number): void => {
    const [extent, stride] = [shape[axis] as number, strides[axis] as number];
    for (let index = 0, place = from; index < extent; index++, place += stride) {
      if (axis === last) target[at++] = source[place];
      else copy(axis + 1, place);
    }
  };
  if (data.length > 0) {
    if (last < 0) target[0] = source[offset];
    else copy(0, offset);
  }
  return new Tensor(t.dtype, shape, data);
}

/** `t` with its axes in the order `perm`. */
export function transposeTensor<D extends DType>(t: Tensor<D>, perm: readonly number[]): Tensor<D> {
  const strides = stridesOf(t.shape);
  return stridedCopy(t, {
    shape: perm.map((axis) => t.shape[axis] as number),
    strides: perm.map((axis) => strides[axis] as number),
  });
}

/** `t` with element `i` of the result taken from the flat place `places[i]`. */
export function pickElements<D extends DType>(
  t: Tensor<D>,
  shape: readonly number[],
  places: ArrayLike<number>,
): Tensor<D> {
  const data = allocateData(t.dtype, places.length);
  const [source, target] = [t.data as ArrayLike<unknown>, data as unknown as unknown[]];
  for (let index = 0; index < places.length; index++) target[index] = source[places[index] as number];
  return new Tensor(t.dtype, shape, data);
}
