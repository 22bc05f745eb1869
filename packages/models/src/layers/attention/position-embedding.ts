import { onnxDataType, tensor, type Value } from '@modelwright/core';
import type { InitializerLike } from '../../initializers/initializer.js';
import {
  createLayer,
  floatDType,
  type Layer,
  type LayerContext,
  type LayerOptions,
  requireAxes,
  requireKnown,
} from '../../layer.js';
import { requirePositive } from '../tuples.js';
import { castLike } from './attend.js';
import { type RotaryOptions, rotate } from './rotate.js';

export interface PositionEmbeddingOptions extends LayerOptions {
  /** Longest sequence. */
  readonly sequenceLength: number;
  /** Default glorotUniform. */
  readonly initializer?: InitializerLike;
}

/**
 * A learned vector for each position, to be added to what stands there.
 *
 * Input `[batch, steps, features]`, of which only the shape matters; output the same shape. Weights `embeddings`
 * `[sequenceLength, features]`.
 *
 * @throws {@link ModelwrightError} `shape-mismatch` for sequences that are longer.
 */
export function positionEmbedding(options: PositionEmbeddingOptions): Layer {
  const longest = requirePositive(options.sequenceLength, 'positionEmbedding: sequenceLength');
  return createLayer({
    kind: 'positionEmbedding',
    options,
    mask: 'keep',
    build(context, [x]) {
      const { builder } = context;
      const input = x as Value;
      requireAxes(context, input, '[batch, steps, features]');
      const steps = input.shape[1];
      if (typeof steps === 'number' && steps > longest) {
        context.fail(`has ${longest} positions, but its input has ${steps} steps`, { given: steps, allowed: longest });
      }
      const embeddings = context.addWeight({
        name: 'embeddings',
        shape: [longest, requireKnown(context, input, -1)],
        initializer: options.initializer ?? 'glorotUniform',
        dtype: floatDType(context, input),
      });
      const rows = builder.op('Gather', [embeddings, builder.op('Positions', [input], { axis: 1 })], { axis: 0 });
      return builder.op('Expand', [rows, builder.op('Shape', [input])]);
    },
  });
}

/**
 * A fixed vector of sines and cosines for each position: `sin(t/λ_i)` at even features `i` and `cos(t/λ_i)` at odd ones, with
 * wavelengths from 2π to `maxWavelength`·2π.
 *
 * Input `[batch, steps, features]`, of which only the shape matters; output the same shape.
 *
 * @see Vaswani et al., arXiv:1706.03762, §3.5.
 */
export function sinePositionEncoding(options: LayerOptions & { readonly maxWavelength?: number } = {}): Layer {
  const { maxWavelength = 10_000 } = options;
  return createLayer({
    kind: 'sinePositionEncoding',
    options,
    mask: 'keep',
    build(context, [x]) {
      const { builder } = context;
      const input = x as Value;
      requireAxes(context, input, '[batch, steps, features]');
      const features = requireKnown(context, input, -1);
      const speeds = Array.from(
        { length: features },
        (_, at) => maxWavelength ** ((-2 * Math.floor(at / 2)) / features),
      );
      const positions = castPositions(context, input);
      const angles = builder.op('Mul', [positions, builder.constant(tensor(speeds, { dtype: 'float32' }))]);
      const isOdd = Array.from({ length: features }, (_, at) => at % 2);
      const encoded = builder.op('Where', [
        builder.constant(tensor(isOdd, { dtype: 'bool' })),
        builder.op('Cos', [angles]),
        builder.op('Sin', [angles]),
      ]);
      return builder.op('Expand', [castLike(builder, encoded, input), builder.op('Shape', [input])]);
    },
  });
}

/** `0, 1, 2, …` as a column of numbers, `[steps, 1]`. */
function castPositions({ builder }: LayerContext, x: Value): Value {
  const positions = builder.op('Positions', [x], { axis: 1 });
  const numbers = builder.op('Cast', [positions], { to: onnxDataType('float32') });
  return builder.op('Unsqueeze', [numbers, builder.integers([1])]);
}

export interface RotaryEmbeddingOptions extends LayerOptions, RotaryOptions {}

/**
 * Turns pairs of features by angles that grow with the position: the product of a turned query and a turned key depends on
 * their distance alone.
 *
 * Input `[batch, steps, heads, size]` or `[batch, steps, size]`, output the same shape.
 *
 * @see Su et al., arXiv:2104.09864.
 */
export function rotaryEmbedding(options: RotaryEmbeddingOptions = {}): Layer {
  return createLayer({
    kind: 'rotaryEmbedding',
    options,
    mask: 'keep',
    build(context, [x]) {
      const { builder } = context;
      const input = x as Value;
      if (input.shape.length === 3) return rotate(context, input, { ...options, heads: 1 });
      requireAxes(context, input, '[batch, steps, heads, size]');
      const [heads, size] = [requireKnown(context, input, 2), requireKnown(context, input, 3)];
      const flat = builder.op('Reshape', [input, builder.integers([0, 0, heads * size])]);
      const turned = rotate(context, flat, { ...options, heads });
      return builder.op('Reshape', [turned, builder.integers([0, 0, heads, size])]);
    },
  });
}
