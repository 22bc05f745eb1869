import type { Value } from '@modelwright/core';
import { createLayer, type Layer, type LayerContext, type LayerOptions, requireKnown } from '../../layer.js';
import type { ProjectionOptions } from '../kernel-options.js';
import { requirePositive } from '../tuples.js';
import { attend, attentionInputCount, attentionInputs } from './attend.js';
import { project } from './projection.js';
import { type RotaryOptions, rotate } from './rotate.js';

/** Options of every layer that attends. */
export interface AttendingOptions extends LayerOptions {
  /** Share of the attention weights that training drops. Default 0. */
  readonly dropout?: number;
  /** Each step sees those up to itself only. Default false. */
  readonly useCausalMask?: boolean;
  /** A second output, the weights `[batch, heads, queries, keys]`; take both with `applyAll`. Default false. */
  readonly returnAttentionScores?: boolean;
}

/** Options of attention over several heads. */
export interface HeadsOptions extends AttendingOptions, ProjectionOptions {
  /** Turn queries and keys by their positions. */
  readonly rotary?: RotaryOptions | boolean;
  /** Scores become `softcap·tanh(score/softcap)`. */
  readonly softcap?: number;
  /** Each step sees at most so many steps, itself included. */
  readonly slidingWindow?: number;
}

export interface MultiHeadAttentionOptions extends HeadsOptions {
  readonly numHeads: number;
  /** Features of a head's queries and keys. */
  readonly keyDim: number;
  /** Features of a head's values. Default `keyDim`. */
  readonly valueDim?: number;
  /** Features of the output. Default those of the query. */
  readonly outputShape?: number | readonly number[];
}

/**
 * Attention over several heads: `softmax(q·kᵀ/√keyDim)·v` of projections of the inputs, and a projection of the heads side by
 * side.
 *
 * Inputs `(query)` or `(query, value)` or `(query, value, key)`, each `[batch, steps, features]`, and behind them, if wanted, a
 * bool mask `[batch, queries, keys]`; output `[batch, queries, …outputShape]`. Masks of values and keys (from `embedding` or
 * `masking`) are gone by. Weights `query`, `key`, `value`, `attentionOutput`, each with `.kernel` and `.bias`, in Keras's order
 * and layout.
 *
 * @see Vaswani et al., arXiv:1706.03762, §3.2.2.
 * @example
 * const attended = multiHeadAttention({ numHeads: 4, keyDim: 16, useCausalMask: true })(sequence);
 */
export function multiHeadAttention(options: MultiHeadAttentionOptions): Layer {
  const heads = requirePositive(options.numHeads, 'multiHeadAttention: numHeads');
  const size = requirePositive(options.keyDim, 'multiHeadAttention: keyDim');
  return createLayer({
    kind: 'multiHeadAttention',
    options,
    inputCount: attentionInputCount,
    mask: 'keep',
    build: (context, inputs) =>
      headsOf(context, inputs, { ...options, heads, keyHeads: heads, size, valueSize: options.valueDim ?? size }),
  });
}

export interface GroupedQueryAttentionOptions extends HeadsOptions {
  /** Features of a head. */
  readonly headDim: number;
  readonly numQueryHeads: number;
  /** Heads of keys and values, each shared by several of queries. */
  readonly numKeyValueHeads: number;
}

/**
 * Attention whose heads of queries share fewer heads of keys and values.
 *
 * Inputs, output and masks as those of {@link multiHeadAttention}; weights too.
 *
 * @throws {@link ModelwrightError} `shape-mismatch` when the heads cannot be shared evenly.
 * @see Ainslie et al., arXiv:2305.13245.
 */
export function groupedQueryAttention(options: GroupedQueryAttentionOptions): Layer {
  const heads = requirePositive(options.numQueryHeads, 'groupedQueryAttention: numQueryHeads');
  const keyHeads = requirePositive(options.numKeyValueHeads, 'groupedQueryAttention: numKeyValueHeads');
  const size = requirePositive(options.headDim, 'groupedQueryAttention: headDim');
  return createLayer({
    kind: 'groupedQueryAttention',
    options,
    inputCount: attentionInputCount,
    mask: 'keep',
    build(context, inputs) {
      if (heads % keyHeads !== 0) {
        context.fail(`${heads} query heads cannot share ${keyHeads} heads of keys and values evenly`, {
          given: keyHeads,
        });
      }
      return headsOf(context, inputs, { ...options, heads, keyHeads, size, valueSize: size });
    },
  });
}

interface Heads extends HeadsOptions {
  readonly heads: number;
  readonly keyHeads: number;
  readonly size: number;
  readonly valueSize: number;
  readonly outputShape?: number | readonly number[];
}

function headsOf(context: LayerContext, inputs: readonly Value[], request: Heads): readonly Value[] {
  const { query, value, key, mask } = attentionInputs(context, inputs);
  const { output, weights } = attendProjected(context, { query, value, key, mask }, request);
  return weights === undefined ? [output] : [output, weights];
}

/** Projects queries, keys and values, attends, and projects what comes of it; weights have `prefix` in front of their names. */
export function attendProjected(
  context: LayerContext,
  { query, value, key, mask }: { query: Value; value: Value; key: Value; mask: Value | undefined },
  request: Heads,
  prefix = '',
): { readonly output: Value; readonly weights: Value | undefined } {
  const { heads, keyHeads, size, valueSize } = request;
  const projected = (name: string, x: Value, to: readonly number[]): Value =>
    project(context, x, { name: prefix + name, to }, request);
  const q = projected('query', query, [heads, size]);
  const k = projected('key', key, [keyHeads, size]);
  const v = projected('value', value, [keyHeads, valueSize]);
  const turn = (x: Value, count: number): Value =>
    request.rotary ? rotate(context, x, { heads: count, ...(request.rotary === true ? {} : request.rotary) }) : x;
  const attended = attend(
    context,
    { query: turn(q, heads), key: turn(k, keyHeads), value: v, mask },
    {
      heads,
      keyHeads,
      causal: request.useCausalMask,
      softcap: request.softcap,
      window: request.slidingWindow,
      dropout: request.dropout,
      withWeights: request.returnAttentionScores,
    },
  );
  const { outputShape } = request;
  const to = typeof outputShape === 'number' ? [outputShape] : (outputShape ?? [requireKnown(context, query, -1)]);
  const joined = project(
    context,
    attended.output,
    { name: `${prefix}attentionOutput`, from: [heads, valueSize], to },
    request,
  );
  const { builder } = context;
  const output = to.length === 1 ? joined : builder.op('Reshape', [joined, builder.integers([0, 0, ...to])]);
  return { output, weights: attended.weights };
}
