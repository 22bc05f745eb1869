import { concreteShape, isConcrete, type OpAttributes, type Shape, type Value, zeros } from '@modelwright/core';
import type { Rewrite } from './lowering.js';

/**
 * A pooling whose gradient is wanted keeps the places of its maxima, which saves the gradient a second pooling. The first pass over the
 * graph marks it by a note from its output to itself.
 */
export const maxPool: Rewrite<'MaxPool'> = ({ builder, input, attributes, outputs, outputCount, notes }) => {
  if (!notes.has(outputs[0] as Value)) return 'keep';
  const results = builder.node('MaxPool', [input(0)], attributes, { outputs: 2 });
  notes.set(results[0] as Value, results[1] as Value);
  return results.slice(0, outputCount);
};

/**
 * `dx`: each `dy` goes to where its maximum stood. Windows that do not overlap put every place at most once (`MaxUnpool`), others add up.
 */
export const maxPoolGradient: Rewrite<'MaxPoolGradient'> = ({ builder, input, attributes, notes }) => {
  const [x, y, dy] = [input(0), input(1), input(2)];
  if (x.dtype !== 'float32' || !isConcrete(x.shape)) return undefined;
  const indices = notes.get(y) ?? (builder.node('MaxPool', [x], attributes, { outputs: 2 })[1] as Value);
  const shape = concreteShape(x.shape, `'${x.name}'`);
  if (!overlaps(attributes) && !reachesOver(attributes, y.shape, shape)) {
    const { kernel_shape, strides } = attributes;
    const window = { kernel_shape, strides: strides ?? kernel_shape.map(() => 1) };
    return [builder.op('MaxUnpool', [dy, indices, builder.integers(shape)], window)];
  }
  const flat = builder.integers([-1]);
  const target = builder.constant(zeros(x.dtype, [shape.reduce((product, extent) => product * extent, 1)]));
  const places = builder.op('Reshape', [indices, flat]);
  const updates = builder.op('Reshape', [dy, flat]);
  const sum = builder.op('ScatterElements', [target, places, updates], { axis: 0, reduction: 'add' });
  return [builder.op('Reshape', [sum, builder.integers(shape)])];
};

/** Whether the last window stands partly outside, which `MaxUnpool` does not take. */
function reachesOver(
  { kernel_shape: kernel, strides }: OpAttributes['MaxPoolGradient'],
  pooled: Shape,
  shape: readonly number[],
): boolean {
  return kernel.some(
    (size, axis) => ((pooled[axis + 2] as number) - 1) * (strides?.[axis] ?? 1) + size > (shape[axis + 2] as number),
  );
}

function overlaps({ kernel_shape: kernel, strides, dilations }: OpAttributes['MaxPoolGradient']): boolean {
  return kernel.some((size, axis) => {
    const reach = (size - 1) * (dilations?.[axis] ?? 1) + 1;
    return size > 1 && reach > (strides?.[axis] ?? 1);
  });
}
