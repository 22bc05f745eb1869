import type { Value } from '../graph/graph.js';
import type { GraphBuilder } from '../graph/graph-builder.js';
import { inversePermutation, reshapeTo, transposed, zerosOf } from '../graph/shape-ops.js';
import { elementCountOf, fromNumbers, tensor } from '../tensor/tensor.js';

/**
 * A linear map along one axis: `y[o] = Σ_t weights[o·taps + t]·x[indices[o·taps + t]]`. Padding that repeats elements and
 * every resampling is one.
 */
export interface AxisTaps {
  readonly taps: number;
  /** Extent of `x` along the axis. */
  readonly from: number;
  /** Extent of `y` along the axis. */
  readonly to: number;
  readonly indices: Int32Array;
  readonly weights: Float64Array;
}

/** Whether the map leaves everything in its place. */
export function isIdentity({ from, to, taps, indices, weights }: AxisTaps): boolean {
  if (from !== to) return false;
  return weights.every((weight, at) => weight === (indices[at] === Math.floor(at / taps) ? 1 : 0));
}

interface Lines {
  readonly outer: number;
  readonly inner: number;
}

const linesAround = (shape: readonly number[], axis: number): Lines => ({
  outer: elementCountOf(shape.slice(0, axis)),
  inner: elementCountOf(shape.slice(axis + 1)),
});

/** The map along `axis` of an array of `shape`. */
export function applyTaps(x: Float64Array, shape: readonly number[], axis: number, map: AxisTaps): Float64Array {
  const { outer, inner } = linesAround(shape, axis);
  const y = new Float64Array(outer * map.to * inner);
  forEachTap(map, outer, inner, (fromAt, toAt, weight) => {
    for (let i = 0; i < inner; i++) y[toAt + i] = (y[toAt + i] as number) + weight * (x[fromAt + i] as number);
  });
  return y;
}

/** The transposed map along `axis` of an array whose extents are those of the result. */
export function applyTapsTransposed(
  y: Float64Array,
  shape: readonly number[],
  axis: number,
  map: AxisTaps,
): Float64Array {
  const { outer, inner } = linesAround(shape, axis);
  const x = new Float64Array(outer * map.from * inner);
  forEachTap(map, outer, inner, (fromAt, toAt, weight) => {
    for (let i = 0; i < inner; i++) x[fromAt + i] = (x[fromAt + i] as number) + weight * (y[toAt + i] as number);
  });
  return x;
}

function forEachTap(
  { taps, from, to, indices, weights }: AxisTaps,
  outer: number,
  inner: number,
  visit: (fromAt: number, toAt: number, weight: number) => void,
): void {
  for (let block = 0; block < outer; block++) {
    for (let at = 0; at < to * taps; at++) {
      const weight = weights[at] as number;
      if (weight === 0) continue;
      visit((block * from + (indices[at] as number)) * inner, (block * to + Math.floor(at / taps)) * inner, weight);
    }
  }
}

// Up to here a matrix of the map is small beside what it maps.
const largestMatrix = 2 ** 18;

/** Builds the transposed map along `axis`: a product with the map's matrix, or, for long axes, a scattered sum. */
export function buildTapsTransposed(builder: GraphBuilder, dy: Value, axis: number, map: AxisTaps): Value {
  return map.from * map.to <= largestMatrix
    ? productTransposed(builder, dy, axis, map)
    : scatterTransposed(builder, dy, axis, map);
}

function productTransposed(builder: GraphBuilder, dy: Value, axis: number, map: AxisTaps): Value {
  const matrix = new Float64Array(map.to * map.from);
  map.indices.forEach((index, at) => {
    const place = Math.floor(at / map.taps) * map.from + index;
    matrix[place] = (matrix[place] as number) + (map.weights[at] as number);
  });
  const held = builder.constant(fromNumbers(dy.dtype, [map.to, map.from], matrix), { name: 'resampling' });
  const perm = movedAxis(dy.shape.length, axis, dy.shape.length - 1);
  const product = builder.op('MatMul', [transposed(builder, dy, perm), held]);
  return transposed(builder, product, inversePermutation(perm));
}

function scatterTransposed(builder: GraphBuilder, dy: Value, axis: number, map: AxisTaps): Value {
  const perm = movedAxis(dy.shape.length, axis, 0);
  const first = transposed(builder, dy, perm);
  const [, ...rest] = first.shape as readonly number[];
  const weights = fromNumbers(dy.dtype, [map.to, map.taps, ...rest.map(() => 1)], map.weights);
  const split = reshapeTo(builder, first, [map.to, 1, ...rest]);
  const isPlain = map.taps === 1 && map.weights.every((weight) => weight === 1);
  const updates = isPlain ? split : builder.op('Mul', [split, builder.constant(weights, { name: 'weights' })]);
  const places = tensor([...map.indices], { dtype: 'int64', shape: [map.to, map.taps, 1] });
  const sums = builder.op(
    'ScatterND',
    [zerosOf(builder, dy.dtype, [map.from, ...rest]), builder.constant(places, { name: 'places' }), updates],
    { reduction: 'add' },
  );
  return transposed(builder, sums, inversePermutation(perm));
}

// The permutation that moves `axis` to place `to` and keeps the order of the others.
function movedAxis(rank: number, axis: number, to: number): number[] {
  const others = Array.from({ length: rank }, (_, each) => each).filter((each) => each !== axis);
  return [...others.slice(0, to), axis, ...others.slice(to)];
}
