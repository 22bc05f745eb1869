import type { Value } from '../graph/graph.js';
import type { GraphBuilder } from '../graph/graph-builder.js';
import { normalizeAxis } from '../tensor/shape.js';
import { tensor } from '../tensor/tensor.js';

/** The extent of `value` along `axis`: a number if it is known, else an int64 scalar of the graph. */
export function extentAt(builder: GraphBuilder, value: Value, axis: number): number | Value {
  const start = normalizeAxis(axis, value.shape.length);
  const extent = value.shape[start];
  if (typeof extent === 'number') return extent;
  return builder.op('Squeeze', [builder.op('Shape', [value], { start, end: start + 1 }), builder.integers([0])]);
}

/** Longer ones are made by the graph, so that files stay small and equal ones are found to be so. */
const longestConstant = 64;

/** `0, 1, …, count − 1` as int64. */
export function positionsUpTo(builder: GraphBuilder, count: number | Value): Value {
  if (typeof count !== 'number' || count > longestConstant) {
    const limit = typeof count === 'number' ? builder.scalar(count, 'int64') : count;
    return builder.op('Range', [builder.scalar(0, 'int64'), limit, builder.scalar(1, 'int64')]);
  }
  const places = Array.from({ length: count }, (_, place) => place);
  return builder.constant(tensor(places, { dtype: 'int64', shape: [count] }), { name: 'positions' });
}
