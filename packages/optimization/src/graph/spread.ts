import { type Shape, type Tensor, toNumbers } from '@modelwright/core';

/** Numbers that broadcast over a value: of its rank, each extent 1 or the value's own. */
export interface Spread {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

/** The largest number of elements a spread is expanded to on its way through a reshape. */
const largestExpansion = 1 << 20;

/** A constant as it broadcasts over a value of `rank` axes. */
export function spreadOf(tensor: Tensor, rank: number): Spread {
  const shape = [...new Array<number>(Math.max(0, rank - tensor.rank)).fill(1), ...tensor.shape];
  return { shape, data: toNumbers(tensor) };
}

/** One number for each extent of `axis`. */
export function spreadAlong(data: Float64Array, axis: number, rank: number): Spread {
  return { shape: Array.from({ length: rank }, (_, at) => (at === axis ? data.length : 1)), data };
}

/** `map` of each number. */
export function mapSpread({ shape, data }: Spread, map: (element: number) => number): Spread {
  return { shape, data: data.map(map) };
}

/** Whether a value of this shape keeps it when a spread is multiplied into it or added to it. */
export function fits(spread: Spread, shape: Shape): boolean {
  if (spread.shape.length !== shape.length) return false;
  return spread.shape.every((extent, axis) => extent === 1 || extent === shape[axis]);
}

/** `combine` of two spreads of one rank; undefined where they do not broadcast. */
export function combineSpreads(a: Spread, b: Spread, combine: (a: number, b: number) => number): Spread | undefined {
  if (a.shape.length !== b.shape.length) return undefined;
  const shape = a.shape.map((extent, axis) => (extent === 1 ? (b.shape[axis] as number) : extent));
  if (b.shape.some((extent, axis) => extent !== 1 && extent !== shape[axis])) return undefined;
  const [left, right] = [expandSpread(a, shape), expandSpread(b, shape)];
  return { shape, data: left.map((element, index) => combine(element, right[index] as number)) };
}

/** The elements for every place of `shape`. */
export function expandSpread(spread: Spread, shape: readonly number[]): Float64Array {
  if (spread.shape.every((extent, axis) => extent === shape[axis])) return spread.data;
  const strides = broadcastStrides(spread.shape);
  const count = shape.reduce((product, extent) => product * extent, 1);
  const result = new Float64Array(count);
  const place = new Array<number>(shape.length).fill(0);
  let from = 0;
  for (let index = 0; index < count; index++) {
    result[index] = spread.data[from] as number;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const stride = strides[axis] as number;
      from += stride;
      place[axis] = (place[axis] as number) + 1;
      if ((place[axis] as number) < (shape[axis] as number)) break;
      from -= stride * (shape[axis] as number);
      place[axis] = 0;
    }
  }
  return result;
}

function broadcastStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(0);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const extent = shape[axis] as number;
    strides[axis] = extent === 1 ? 0 : stride;
    stride *= extent;
  }
  return strides;
}

/** One number for each extent of `axis`, if that is the only axis along which the spread varies. */
export function vectorAlong(spread: Spread, axis: number, extent: number): Float64Array | undefined {
  if (spread.shape.some((each, at) => each !== 1 && at !== axis)) return undefined;
  const own = spread.shape[axis];
  if (own === extent) return spread.data;
  return own === 1 ? new Float64Array(extent).fill(spread.data[0] as number) : undefined;
}

/** The spread over the transposed value: axis `i` of the result is axis `perm[i]`. */
export function transposeSpread(spread: Spread, perm: readonly number[]): Spread {
  const shape = perm.map((axis) => spread.shape[axis] as number);
  const wide = spread.shape.filter((extent) => extent !== 1);
  // With one axis that varies, the order of the elements stays.
  if (wide.length <= 1) return { shape, data: spread.data };
  const strides = broadcastStrides(spread.shape);
  const data = new Float64Array(spread.data.length);
  const place = new Array<number>(perm.length).fill(0);
  for (let index = 0; index < data.length; index++) {
    const from = perm.reduce((sum, axis, at) => sum + (place[at] as number) * (strides[axis] as number), 0);
    data[index] = spread.data[from] as number;
    for (let axis = perm.length - 1; axis >= 0; axis--) {
      place[axis] = (place[axis] as number) + 1;
      if ((place[axis] as number) < (shape[axis] as number)) break;
      place[axis] = 0;
    }
  }
  return { shape, data };
}

/**
 * The spread over a value that is reshaped from `from` to `to`; undefined where that cannot be told. Leading axes that both
 * shapes have in common may be symbolic.
 */
export function reshapeSpread(spread: Spread, from: Shape, to: Shape): Spread | undefined {
  const rank = to.length;
  if (spread.data.length === 1) return { shape: new Array<number>(rank).fill(1), data: spread.data };
  let common = 0;
  while (common < from.length && common < rank && from[common] === to[common] && spread.shape[common] === 1) common++;
  const [inner, target] = [from.slice(common), to.slice(common)];
  const concrete = [...inner, ...target].every((extent) => typeof extent === 'number');
  const count = (inner as readonly number[]).reduce((product, extent) => product * extent, 1);
  if (!concrete || count > largestExpansion) return undefined;
  if (count !== (target as readonly number[]).reduce((product, extent) => product * extent, 1)) return undefined;
  const wide = expandSpread({ shape: spread.shape.slice(common), data: spread.data }, inner as readonly number[]);
  const ones = new Array<number>(common).fill(1);
  return narrowSpread({ shape: [...ones, ...(target as readonly number[])], data: wide });
}

/** The same numbers with extent 1 along each axis that they do not vary along. */
export function narrowSpread(spread: Spread): Spread {
  return spread.shape.reduce((narrow, _, axis) => dropAxis(narrow, axis) ?? narrow, spread);
}

function dropAxis({ shape, data }: Spread, axis: number): Spread | undefined {
  const extent = shape[axis] as number;
  if (extent <= 1) return undefined;
  const inner = shape.slice(axis + 1).reduce((product, each) => product * each, 1);
  const block = inner * extent;
  for (let start = 0; start < data.length; start += block)
    for (let at = inner; at < block; at++) if (data[start + at] !== data[start + (at % inner)]) return undefined;
  const kept = data.filter((_, index) => index % block < inner);
  return { shape: shape.map((each, at) => (at === axis ? 1 : each)), data: kept };
}

/** The part of a spread that stands over a slice of the value along `axis`. */
export function sliceSpread(
  spread: Spread,
  axis: number,
  range: { readonly start: number; readonly end: number },
): Spread {
  if (spread.shape[axis] === 1) return spread;
  const inner = spread.shape.slice(axis + 1).reduce((product, each) => product * each, 1);
  const extent = spread.shape[axis] as number;
  const data = spread.data.filter((_, index) => {
    const place = Math.floor(index / inner) % extent;
    return place >= range.start && place < range.end;
  });
  return { shape: spread.shape.map((each, at) => (at === axis ? range.end - range.start : each)), data };
}
