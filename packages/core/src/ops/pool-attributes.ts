import { formatShape, type Shape } from '../tensor/shape.js';
import type { AttributeSpecification, InferContext } from './definition.js';
import type { PoolAttributes } from './pooling.js';
import { checkedWindow, windowOutput } from './window.js';

/** Specification of {@link PoolAttributes}. */
export const poolAttributes: { readonly [K in keyof PoolAttributes]-?: AttributeSpecification } = {
  auto_pad: { kind: 'string', default: 'NOTSET' },
  ceil_mode: { kind: 'int', default: 0 },
  kernel_shape: { kind: 'ints', required: true },
  strides: { kind: 'ints' },
  dilations: { kind: 'ints' },
  pads: { kind: 'ints' },
};

/** Shape of a pooled `[batch, channels, …spatial]`. */
export function pooledShape(context: InferContext<PoolAttributes>): Shape {
  const { attributes, fail } = context;
  const { shape } = context.input(0);
  if (shape.length < 3 || attributes.kernel_shape.length !== shape.length - 2) {
    fail(
      `the window [${attributes.kernel_shape}] has ${attributes.kernel_shape.length} axes; input ${formatShape(shape)} must be [batch, channels, …] with as many spatial axes`,
      { given: shape },
    );
  }
  const window = checkedWindow(fail, attributes.kernel_shape, attributes);
  // A window that lies in the padding alone has no maximum and no mean.
  window.kernel.forEach((extent, axis) => {
    const covered = (extent - 1) * (window.dilations[axis] as number) + 1;
    const pads = [window.pads[axis] as number, window.pads[axis + window.kernel.length] as number];
    if (Math.max(...pads) >= covered) {
      fail(
        `padding ${pads} along spatial axis ${axis} must be smaller than the window, which covers ${covered}`,
        { given: pads, allowed: `< ${covered}` },
        'invalid-attribute',
      );
    }
  });
  return [...shape.slice(0, 2), ...windowOutput(fail, shape.slice(2), window, attributes)];
}
