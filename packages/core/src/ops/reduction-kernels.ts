import { allocateData, type DType, dtypeFacts, isFloat } from '../tensor/dtype.js';
import { castTensor, elementCountOf, fromNumbers, Tensor, toNumbers } from '../tensor/tensor.js';
import { forEachRow } from './broadcast-rows.js';
import { narrowIntegers } from './matrix-product.js';

/** A fold over elements. `finish` sees the sum and how many elements went into it. */
export interface Fold<T> {
  readonly initial: T;
  readonly step: (sum: T, x: T) => T;
  readonly finish?: (sum: T, count: number) => T;
}

/** One reduction on floats and, where it differs, on integers (exact modulo 2⁶⁴, then narrowed). */
export interface Reduction {
  readonly float: Fold<number>;
  readonly integer?: Fold<bigint>;
}

/**
 * Folds `x` along `axes`, which stay with extent 1; over no elements at all the result is the fold's initial value.
 */
export function reduceTensor(x: Tensor, { float, integer }: Reduction, axes: readonly number[]): Tensor {
  const kept = x.shape.map((extent, axis) => (axes.includes(axis) ? 1 : extent));
  const count = axes.reduce((product, axis) => product * (x.shape[axis] as number), 1);
  if (!isFloat(x.dtype) && x.dtype !== 'bool' && integer !== undefined) {
    const wide = x.dtype === 'uint64' ? 'uint64' : 'int64';
    const sums = allocateData(wide, elementCountOf(kept));
    fold<bigint>({ shape: x.shape, kept, source: castTensor(x, wide).data, sums, count }, integer);
    return narrowIntegers(new Tensor(wide, kept, sums), x);
  }
  const sums = new Float64Array(elementCountOf(kept));
  fold<number>({ shape: x.shape, kept, source: toNumbers(x), sums, count }, float);
  return fromNumbers(x.dtype, kept, sums);
}

interface FoldRequest<T> {
  readonly shape: readonly number[];
  /** `shape` with 1 along the folded axes. */
  readonly kept: readonly number[];
  readonly source: { readonly [index: number]: T };
  readonly sums: { [index: number]: T; readonly length: number; fill(value: T): unknown };
  readonly count: number;
}

function fold<T>({ shape, kept, source, sums, count }: FoldRequest<T>, { initial, step, finish }: Fold<T>): void {
  sums.fill(initial);
  forEachRow(shape, [kept], ({ start, length, offsets, steps }) => {
    const [offset, stride] = [offsets[0] as number, steps[0] as number];
    if (stride === 0) {
      let sum = sums[offset] as T;
      for (let at = start; at < start + length; at++) sum = step(sum, source[at] as T);
      sums[offset] = sum;
    } else {
      for (let i = 0; i < length; i++) {
        const at = offset + i * stride;
        sums[at] = step(sums[at] as T, source[start + i] as T);
      }
    }
  });
  if (finish !== undefined) for (let at = 0; at < sums.length; at++) sums[at] = finish(sums[at] as T, count);
}

/** The smallest (−1) or largest (1) value of an integer dtype. */
export function extremeInteger(dtype: DType, sign: 1 | -1): bigint {
  const { kind, bits } = dtypeFacts[dtype];
  const width = BigInt(bits);
  if (kind === 'uint') return sign > 0 ? (1n << width) - 1n : 0n;
  return sign > 0 ? (1n << (width - 1n)) - 1n : -(1n << (width - 1n));
}

/** Walks lines along `axis`: element `i` of a line is at `base + i·stride`. */
export function forEachLine(
  shape: readonly number[],
  axis: number,
  visit: (base: number, stride: number, extent: number) => void,
): void {
  const extent = shape[axis] as number;
  const stride = shape.slice(axis + 1).reduce((product, next) => product * next, 1);
  const outer = shape.slice(0, axis).reduce((product, next) => product * next, 1);
  for (let block = 0; block < outer; block++) {
    for (let inner = 0; inner < stride; inner++) visit(block * extent * stride + inner, stride, extent);
  }
}
