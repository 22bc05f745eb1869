import type { Value } from '../graph/graph.js';
import type { GraphBuilder } from '../graph/graph-builder.js';
import { sameShape } from '../tensor/shape.js';

/** Sums a gradient over the axes along which its input was broadcast, so that it has the input's shape. */
export function sumToShape(builder: GraphBuilder, gradient: Value, shape: readonly number[]): Value {
  if (sameShape(gradient.shape, shape)) return gradient;
  const lead = gradient.shape.length - shape.length;
  const axes = gradient.shape.flatMap((extent, axis) =>
    axis < lead || (shape[axis - lead] === 1 && extent !== 1) ? [axis] : [],
  );
  const summed =
    axes.length === 0 ? gradient : builder.op('ReduceSum', [gradient, builder.integers(axes)], { keepdims: 1 });
  return sameShape(summed.shape, shape) ? summed : builder.op('Reshape', [summed, builder.integers(shape)]);
}
