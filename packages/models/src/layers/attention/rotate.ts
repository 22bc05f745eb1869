import { onnxDataType, tensor, type Value } from '@modelwright/core';
import type { LayerContext } from '../../layer.js';

/** How positions turn features. */
export interface RotaryOptions {
  /** Wavelength of the slowest pair, over 2π. Default 10 000. */
  readonly maxWavelength?: number;
  /** Positions are divided by it. Default 1. */
  readonly scalingFactor?: number;
  /** Features of each head that turn. Default all. */
  readonly rotaryDim?: number;
  /** Pairs are neighbours instead of halves. Default false. */
  readonly interleaved?: boolean;
}

/**
 * Turns the pairs of features of each head by angles that grow with the position.
 *
 * @param x - `[batch, steps, heads·size]`.
 */
export function rotate(context: LayerContext, x: Value, options: RotaryOptions & { readonly heads: number }): Value {
  const { builder } = context;
  const size = Number(x.shape[2]) / options.heads;
  const { maxWavelength = 10_000, scalingFactor = 1, rotaryDim = size, interleaved = false } = options;
  if (!Number.isInteger(size) || rotaryDim > size || rotaryDim % 2 !== 0) {
    context.fail(`cannot turn ${rotaryDim} of ${size} features a head in pairs`, { given: rotaryDim, allowed: size });
  }
  const pairs = rotaryDim / 2;
  const speeds = Float64Array.from(
    { length: pairs },
    (_, pair) => 1 / maxWavelength ** ((2 * pair) / rotaryDim) / scalingFactor,
  );
  const positions = builder.op('Cast', [builder.op('Positions', [x], { axis: 1 })], { to: onnxDataType('float32') });
  const angles = builder.op('Mul', [
    builder.op('Unsqueeze', [positions, builder.integers([0, 2])]),
    builder.constant(tensor([...speeds], { dtype: 'float32' }), { name: `${context.path}/speeds` }),
  ]);
  const extents = builder.op('Concat', [builder.op('Shape', [x], { start: 0, end: 1 }), builder.integers([1, 1])], {
    axis: 0,
  });
  const cache = (op: 'Cos' | 'Sin'): Value => {
    const turned = builder.op('Expand', [builder.op(op, [angles]), extents]);
    return turned.dtype === x.dtype ? turned : builder.op('Cast', [turned], { to: onnxDataType(x.dtype) });
  };
  return builder.op('RotaryEmbedding', [x, cache('Cos'), cache('Sin')], {
    num_heads: options.heads,
    rotary_embedding_dim: rotaryDim === size ? 0 : rotaryDim,
    interleaved: interleaved ? 1 : 0,
  });
}
