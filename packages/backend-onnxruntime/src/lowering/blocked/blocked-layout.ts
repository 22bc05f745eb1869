import { concreteShape, type GraphBuilder, type Value } from '@modelwright/core';

/**
 * ONNX Runtime's internal layout for convolutions: channels in blocks of `b` that lie together, `[n, c/b, h, w, b]`. The runtime still
 * declares such a tensor as `[n, c, h, w]`.
 */
export const blockedDomain = 'com.microsoft.nchwc';

/** Spatial parameters of a two-dimensional convolution. */
export interface BlockedWindow {
  readonly kernel: readonly [number, number];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly pads: readonly number[];
  /** One number an output channel. */
  readonly bias?: Value | undefined;
}

/** `[n, c, h, w]` → blocked; `c` is a multiple of the block. */
export function toBlocked(builder: GraphBuilder, x: Value): Value {
  const [blocked] = builder.foreign({
    op: 'ReorderInput',
    domain: blockedDomain,
    inputs: [x],
    attributes: { channels_last: 0 },
    attributeKinds: { channels_last: 'int' },
    outputs: [{ dtype: x.dtype, shape: x.shape }],
  });
  return blocked as Value;
}

/** Blocked → `[n, c, h, w]`. */
export function fromBlocked(builder: GraphBuilder, x: Value): Value {
  const [plain] = builder.foreign({
    op: 'ReorderOutput',
    domain: blockedDomain,
    inputs: [x],
    attributes: { channels: x.shape[1] as number, channels_last: 0 },
    attributeKinds: { channels: 'int', channels_last: 'int' },
    outputs: [{ dtype: x.dtype, shape: x.shape }],
  });
  return plain as Value;
}

/** Convolves blocked `x` (or plain `x` with fewer channels than a block) with a blocked filter; the result is blocked. */
export function blockedConvolution(builder: GraphBuilder, x: Value, filter: Value, window: BlockedWindow): Value {
  const { kernel, strides, dilations, pads, bias } = window;
  const [batch, , ...extents] = concreteShape(x.shape, `'${x.name}'`) as [number, number, ...number[]];
  const outputExtents = extents.map((extent, axis) => {
    const reach = ((kernel[axis] as number) - 1) * (dilations[axis] as number) + 1;
    const padded = extent + (pads[axis] as number) + (pads[axis + 2] as number);
    return Math.floor((padded - reach) / (strides[axis] as number)) + 1;
  });
  const [y] = builder.foreign({
    op: 'Conv',
    domain: blockedDomain,
    inputs: bias === undefined ? [x, filter] : [x, filter, bias],
    attributes: { kernel_shape: kernel, strides, dilations, pads, group: 1 },
    attributeKinds: { kernel_shape: 'ints', strides: 'ints', dilations: 'ints', pads: 'ints', group: 'int' },
    outputs: [{ dtype: x.dtype, shape: [batch, filter.shape[0] as number, ...outputExtents] }],
  });
  return y as Value;
}

/** `[o, i, h, w]` → `[o/b, i/b, h, w, bᵢ, bₒ]`, or `[o/b, i, h, w, bₒ]` when `i` is less than a block; declared with its old shape. */
export function blockedFilter(builder: GraphBuilder, weight: Value, block: number): Value {
  const [outputs, inputs, height, width] = concreteShape(weight.shape, `'${weight.name}'`) as [
    number,
    number,
    number,
    number,
  ];
  const reshape = (value: Value, shape: readonly number[]): Value =>
    builder.op('Reshape', [value, builder.integers(shape)]);
  const narrow = inputs < block;
  const split = narrow
    ? [outputs / block, block, inputs, height * width]
    : [outputs / block, block, inputs / block, block, height * width];
  const perm = narrow ? [0, 2, 3, 1] : [0, 2, 4, 3, 1];
  return reshape(builder.op('Transpose', [reshape(weight, split)], { perm }), [outputs, inputs, height, width]);
}
