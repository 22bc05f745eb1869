import type { Value } from '../graph/graph.js';
import type { GraphBuilder } from '../graph/graph-builder.js';
import { isConcrete, sameShape } from '../tensor/shape.js';

/** A vector of one number a channel, shaped so that it broadcasts against `[batch, channels, …]`. */
export function alongChannels(builder: GraphBuilder, vector: Value, like: Value): Value {
  const spatial = like.shape.length - 2;
  if (spatial === 0) return vector;
  const ones = new Array<number>(spatial).fill(1);
  return builder.op('Reshape', [vector, builder.integers([-1, ...ones])]);
}

/** The sum over all axes but 1: `[channels]`. */
export function sumToChannels(builder: GraphBuilder, value: Value): Value {
  const axes = value.shape.flatMap((_, axis) => (axis === 1 ? [] : [axis]));
  return builder.op('ReduceSum', [value, builder.integers(axes)], { keepdims: 0 });
}

/** `value` under the shape of `like`, which has as many elements and the same first extent. */
export function reshapeLike(builder: GraphBuilder, value: Value, like: Value): Value {
  if (sameShape(value.shape, like.shape)) return value;
  const [, ...rest] = like.shape;
  const shape = isConcrete(rest) ? builder.integers([0, ...rest]) : builder.op('Shape', [like]);
  return builder.op('Reshape', [value, shape]);
}
