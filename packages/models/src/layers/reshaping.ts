import { formatShape, ModelwrightError, type Value } from '@modelwright/core';
import { createLayer, type Layer, type LayerContext, type LayerOptions, requireAxes } from '../layer.js';
import { channelsLast, type DataFormat } from './spatial.js';
import { requirePositive } from './tuples.js';

export interface FlattenOptions extends LayerOptions {
  /** `channelsFirst` inputs are flattened in the order of `channelsLast`, as in Keras. Default `channelsLast`. */
  readonly dataFormat?: DataFormat;
}

/** All axes but the batch in one: `[batch, a, b, …]` → `[batch, a·b·…]`. */
export function flatten(options: FlattenOptions = {}): Layer {
  return createLayer({
    kind: 'flatten',
    options,
    build(context, [x]) {
      const { builder } = context;
      const input = x as Value;
      if (input.shape.length === 1) return builder.op('Unsqueeze', [input, builder.integers([1])]);
      const ordered = options.dataFormat === 'channelsFirst' ? channelsLast(context, input) : input;
      return builder.op('Flatten', [ordered], { axis: 1 });
    },
  });
}

export interface ReshapeOptions extends LayerOptions {
  /** Without the batch axis; one extent may be −1: it takes what is left. */
  readonly targetShape: readonly number[];
}

/**
 * The same elements under another shape: `[batch, …]` → `[batch, …targetShape]`.
 *
 * @throws {@link ModelwrightError} `shape-mismatch` when the numbers of elements differ.
 */
export function reshape(options: ReshapeOptions): Layer {
  const { targetShape } = options;
  const valid = targetShape.every((extent) => Number.isInteger(extent) && (extent > 0 || extent === -1));
  if (!valid || targetShape.filter((extent) => extent === -1).length > 1) {
    throw new ModelwrightError(
      'invalid-argument',
      `reshape: targetShape is [${targetShape}]; integers ≥ 1 are expected, and at most one −1`,
      { given: targetShape },
    );
  }
  return createLayer({
    kind: 'reshape',
    options,
    build(context, [x]) {
      const input = x as Value;
      const resolved = resolveShape(context, input, targetShape);
      // 0 takes over the batch extent.
      return context.builder.op('Reshape', [input, context.builder.integers([0, ...resolved])]);
    },
  });
}

function resolveShape(context: LayerContext, input: Value, target: readonly number[]): readonly number[] {
  const inner = input.shape.slice(1);
  if (inner.some((extent) => typeof extent === 'string')) return target;
  const count = (inner as readonly number[]).reduce((product, extent) => product * extent, 1);
  const known = target.filter((extent) => extent !== -1).reduce((product, extent) => product * extent, 1);
  if (target.includes(-1) ? count % known !== 0 : count !== known) {
    return context.fail(`cannot reshape ${formatShape(inner)} (${count} elements) to [${target}] (${known} elements)`, {
      given: inner,
      allowed: target,
    });
  }
  return target.map((extent) => (extent === -1 ? count / known : extent));
}

export interface PermuteOptions extends LayerOptions {
  /** The new order of the axes, counted from 1; the batch is not among them. */
  readonly dims: readonly number[];
}

/**
 * Reorders the axes behind the batch: `permute({ dims: [2, 1] })` swaps the two of `[batch, a, b]`.
 *
 * @throws {@link ModelwrightError} `invalid-argument` unless `dims` is an order of 1…n.
 */
export function permute(options: PermuteOptions): Layer {
  const { dims } = options;
  if (![...dims].sort((a, b) => a - b).every((axis, index) => axis === index + 1)) {
    throw new ModelwrightError(
      'invalid-argument',
      `permute: dims is [${dims}]; an order of 1…${dims.length} is expected`,
      { given: dims },
    );
  }
  return createLayer({
    kind: 'permute',
    options,
    build(context, [x]) {
      requireAxes(context, x as Value, `[batch, ${dims.map((axis) => `axis ${axis}`).join(', ')}]`);
      return context.builder.op('Transpose', [x], { perm: [0, ...dims] });
    },
  });
}

export interface RepeatVectorOptions extends LayerOptions {
  /** How often. */
  readonly n: number;
}

/** The input `n` times in a row: `[batch, features]` → `[batch, n, features]`. */
export function repeatVector(options: RepeatVectorOptions): Layer {
  const count = requirePositive(options.n, 'repeatVector: n');
  return createLayer({
    kind: 'repeatVector',
    options,
    build(context, [x]) {
      const { builder } = context;
      requireAxes(context, x as Value, '[batch, features]');
      const wide = builder.op('Unsqueeze', [x, builder.integers([1])]);
      return builder.op('Tile', [wide, builder.integers([1, count, 1])]);
    },
  });
}
