import type { Value } from '@modelwright/core';
import { createLayer, type Layer, requireKnown } from '../../layer.js';
import { requirePositive } from '../tuples.js';
import { attend, attentionInputCount, attentionInputs } from './attend.js';
import type { AttendingOptions } from './multi-head-attention.js';
import { type RotaryOptions, rotate } from './rotate.js';

export interface DotProductAttentionOptions extends AttendingOptions {
  readonly numHeads: number;
  /** Heads of keys and values. Default as many as of queries. */
  readonly numKeyValueHeads?: number;
  /** Default `1/√size`. */
  readonly scale?: number;
  /** Scores become `softcap·tanh(score/softcap)`. */
  readonly softcap?: number;
  /** Each step sees at most so many steps, itself included. */
  readonly slidingWindow?: number;
  /** Turn queries and keys by their positions. */
  readonly rotary?: RotaryOptions | boolean;
}

/**
 * Attention over heads that lie side by side, without weights of its own: what stands between the projections.
 *
 * Input one sequence `[batch, steps, (heads + 2·keyValueHeads)·size]` of queries, keys and values side by side, as one
 * projection makes them, or `(query, value, key)`; output `[batch, queries, heads·size]`.
 *
 * @example
 * const merged = dense({ units: 3 * 64 })(sequence);
 * const mixed = dense({ units: 64 })(dotProductAttention({ numHeads: 4, useCausalMask: true })(merged));
 */
export function dotProductAttention(options: DotProductAttentionOptions): Layer {
  const heads = requirePositive(options.numHeads, 'dotProductAttention: numHeads');
  const keyHeads = requirePositive(options.numKeyValueHeads ?? heads, 'dotProductAttention: numKeyValueHeads');
  return createLayer({
    kind: 'dotProductAttention',
    options,
    inputCount: attentionInputCount,
    mask: 'keep',
    build(context, inputs) {
      const { builder } = context;
      const given = attentionInputs(context, inputs);
      const isMerged = inputs.filter(({ dtype }) => dtype !== 'bool').length === 1;
      const { query, key, value } = isMerged ? split(given.query) : given;
      const turn = (x: Value, count: number): Value =>
        options.rotary ? rotate(context, x, { heads: count, ...(options.rotary === true ? {} : options.rotary) }) : x;
      const { output, weights } = attend(
        context,
        { query: turn(query, heads), key: turn(key, keyHeads), value, mask: given.mask },
        {
          heads,
          keyHeads,
          causal: options.useCausalMask,
          scale: options.scale,
          softcap: options.softcap,
          window: options.slidingWindow,
          dropout: options.dropout,
          withWeights: options.returnAttentionScores,
        },
      );
      return weights === undefined ? output : [output, weights];

      function split(merged: Value): { query: Value; key: Value; value: Value } {
        const features = requireKnown(context, merged, -1);
        const size = features / (heads + 2 * keyHeads);
        if (!Number.isInteger(size)) {
          context.fail(`${features} features do not divide into ${heads} query heads and twice ${keyHeads} others`, {
            given: features,
          });
        }
        const sizes = builder.integers([heads * size, keyHeads * size, keyHeads * size]);
        const parts = builder.node('Split', [merged, sizes], { axis: 2 }, { outputs: 3 });
        const [q, k, v] = parts as readonly [Value, Value, Value];
        return { query: q, key: k, value: v };
      }
    },
  });
}
