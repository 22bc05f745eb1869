import type { Value } from '@modelwright/core';
import type { ActivationLike } from '../../activations.js';
import {
  createLayer,
  floatDType,
  type Layer,
  type LayerContext,
  type LayerOptions,
  requireKnown,
} from '../../layer.js';
import type { ProjectionOptions } from '../kernel-options.js';
import { requirePositive } from '../tuples.js';
import { attentionInputs } from './attend.js';
import { fed } from './feed-forward.js';
import { attendProjected } from './multi-head-attention.js';
import type { RotaryOptions } from './rotate.js';

export interface TransformerBlockOptions extends LayerOptions, ProjectionOptions {
  /** Features between the two projections of the feed-forward part. */
  readonly intermediateDim: number;
  readonly numHeads: number;
  /** Share of what training drops of attention weights and of each part's output. Default 0. */
  readonly dropout?: number;
  /** Of the feed-forward part. Default relu. */
  readonly activation?: ActivationLike;
  /** Gate the feed-forward part; see {@link feedForward}. Default false. */
  readonly gated?: boolean;
  /** Default 1e-5. */
  readonly layerNormEpsilon?: number;
  /** Normalize what goes into each part instead of the sum behind it. Default false. */
  readonly normalizeFirst?: boolean;
  /** Turn queries and keys of self-attention by their positions. */
  readonly rotary?: RotaryOptions | boolean;
}

/**
 * A transformer encoder block: self-attention and a feed-forward part, each with a residual connection and a normalization.
 *
 * Input `[batch, steps, features]` and, if wanted, a bool mask `[batch, queries, keys]`; output `[batch, steps, features]`. A
 * mask of the input is gone by. Weights `selfAttention.{query,key,value,attentionOutput}`, `selfAttentionNorm`,
 * `feedforward.{intermediate,output}`, `feedforwardNorm`.
 *
 * @see Vaswani et al., arXiv:1706.03762; Xiong et al., arXiv:2002.04745 (normalization first).
 */
export function transformerEncoder(options: TransformerBlockOptions): Layer {
  const heads = checked('transformerEncoder', options);
  return createLayer({
    kind: 'transformerEncoder',
    options,
    inputCount: { min: 1, max: 2 },
    mask: 'keep',
    build(context, inputs) {
      const { query, mask } = attentionInputs(context, inputs);
      const attended = residual(context, query, 'selfAttention', options, (x) =>
        mixed(context, { query: x, memory: x, mask }, { ...options, heads, name: 'selfAttention' }),
      );
      return feedForwardPart(context, attended, options);
    },
  });
}

export interface TransformerDecoderOptions extends TransformerBlockOptions {
  /** Each step sees those up to itself only. Default true. */
  readonly useCausalMask?: boolean;
}

/**
 * A transformer decoder block: causal self-attention, attention to an encoded sequence if one is given, and a feed-forward
 * part, each with a residual connection and a normalization.
 *
 * Inputs `(sequence)` or `(sequence, encoded)`, `[batch, steps, features]` each; output `[batch, steps, features]`. Masks of both
 * are gone by. Weights `selfAttention.…`, `selfAttentionNorm`, with an encoded sequence `crossAttention.…` and
 * `crossAttentionNorm`, `feedforward.{intermediate,output}`, `feedforwardNorm`.
 *
 * @see Vaswani et al., arXiv:1706.03762; Xiong et al., arXiv:2002.04745 (normalization first).
 */
export function transformerDecoder(options: TransformerDecoderOptions): Layer {
  const heads = checked('transformerDecoder', options);
  return createLayer({
    kind: 'transformerDecoder',
    options,
    inputCount: { min: 1, max: 2 },
    mask: 'keep',
    build(context, [sequence, encoded]) {
      const { useCausalMask = true } = options;
      const own = paddingOf(context, 0);
      const attended = residual(context, sequence as Value, 'selfAttention', options, (x) =>
        mixed(context, { query: x, memory: x, mask: own }, { ...options, heads, useCausalMask, name: 'selfAttention' }),
      );
      if (encoded === undefined) return feedForwardPart(context, attended, options);
      const { rotary: _, ...unturned } = options;
      const informed = residual(context, attended, 'crossAttention', options, (x) =>
        mixed(
          context,
          { query: x, memory: encoded, mask: paddingOf(context, 1) },
          { ...unturned, heads, name: 'crossAttention' },
        ),
      );
      return feedForwardPart(context, informed, options);
    },
  });
}

function checked(kind: string, { numHeads, intermediateDim }: TransformerBlockOptions): number {
  requirePositive(intermediateDim, `${kind}: intermediateDim`);
  return requirePositive(numHeads, `${kind}: numHeads`);
}

/** The mask of an input as one of keys, `[batch, 1, 1, keys]`. */
function paddingOf({ builder, masks }: LayerContext, index: number): Value | undefined {
  const mask = masks[index];
  return mask === undefined ? undefined : builder.op('Unsqueeze', [mask, builder.integers([1, 2])]);
}

interface Mixing extends TransformerBlockOptions {
  readonly heads: number;
  readonly useCausalMask?: boolean;
  readonly name: string;
}

interface Mixed {
  readonly query: Value;
  /** What keys and values come from. */
  readonly memory: Value;
  readonly mask: Value | undefined;
}

function mixed(context: LayerContext, { query, memory, mask }: Mixed, options: Mixing): Value {
  const features = requireKnown(context, query, -1);
  const size = Math.floor(features / options.heads);
  const { name: prefix, dropout = 0 } = options;
  const { output } = attendProjected(
    context,
    { query, value: memory, key: memory, mask },
    { ...options, keyHeads: options.heads, size, valueSize: size },
    `${prefix}.`,
  );
  const { builder } = context;
  return dropout === 0 ? output : builder.op('Dropout', [output, builder.scalar(dropout, output.dtype)]);
}

function feedForwardPart(context: LayerContext, x: Value, options: TransformerBlockOptions): Value {
  return residual(context, x, 'feedforward', options, (inner) => fed(context, inner, options, 'feedforward.'));
}

/** `norm(x + part(x))`, or `x + part(norm(x))`. */
function residual(
  context: LayerContext,
  x: Value,
  name: string,
  options: TransformerBlockOptions,
  part: (x: Value) => Value,
): Value {
  const { builder } = context;
  const norm = (value: Value): Value => normalized(context, value, `${name}Norm`, options.layerNormEpsilon ?? 1e-5);
  if (options.normalizeFirst) return builder.op('Add', [x, part(norm(x))]);
  return norm(builder.op('Add', [x, part(x)]));
}

function normalized(context: LayerContext, x: Value, name: string, epsilon: number): Value {
  const shape = [requireKnown(context, x, -1)];
  const dtype = floatDType(context, x);
  const gamma = context.addWeight({ name: `${name}.gamma`, shape, initializer: 'ones', dtype });
  const beta = context.addWeight({ name: `${name}.beta`, shape, initializer: 'zeros', dtype });
  return context.builder.op('LayerNormalization', [x, gamma, beta], { axis: -1, epsilon });
}
