import { type GraphBuilder, onnxDataType, type Value } from '@modelwright/core';
import type { LayerContext } from '../../layer.js';

/** What attention is computed from. */
export interface AttendInputs {
  /** `[batch, queries, heads·size]`. */
  readonly query: Value;
  /** `[batch, keys, keyHeads·size]`. */
  readonly key: Value;
  /** `[batch, keys, keyHeads·valueSize]`. */
  readonly value: Value;
  /** Bool, broadcasts to `[batch, heads, queries, keys]`: what may be seen. */
  readonly mask?: Value | undefined;
}

export interface AttendOptions {
  readonly heads: number;
  /** Heads of keys and values. Default as many as of queries. */
  readonly keyHeads?: number;
  /** A query sees the keys up to its own place. */
  readonly causal?: boolean | undefined;
  /** Default `1/√size`. */
  readonly scale?: number | undefined;
  /** Scores become `softcap·tanh(score/softcap)`. */
  readonly softcap?: number | undefined;
  /** How far back a query sees. */
  readonly window?: number | undefined;
  /** Share of the weights that training drops. */
  readonly dropout?: number | undefined;
  /** Ask for the weights too. */
  readonly withWeights?: boolean | undefined;
}

/** What attention gives. */
export interface Attended {
  /** `[batch, queries, heads·valueSize]`. */
  readonly output: Value;
  /** `[batch, heads, queries, keys]`, if asked for; before dropout. */
  readonly weights: Value | undefined;
}

/** Scaled dot-product attention over several heads: one `Attention` node, and while training, with dropout, its parts. */
export function attend({ builder }: LayerContext, inputs: AttendInputs, options: AttendOptions): Attended {
  const { heads, keyHeads = heads, dropout = 0, withWeights = false, window } = options;
  const node = (outputs: number): readonly Value[] =>
    builder.node(
      'Attention',
      [inputs.query, inputs.key, inputs.value, inputs.mask],
      {
        is_causal: options.causal ? 1 : 0,
        q_num_heads: heads,
        kv_num_heads: keyHeads,
        ...(options.scale === undefined ? {} : { scale: options.scale }),
        ...(options.softcap === undefined ? {} : { softcap: options.softcap }),
        ...(window === undefined ? {} : { left_window_size: window - 1 }),
        ...(outputs > 1 ? { qk_matmul_output_mode: 3 } : {}),
      },
      { outputs },
    );
  const [output, , , weights] = node(withWeights ? 4 : 1) as readonly [Value, Value?, Value?, Value?];
  if (dropout === 0) return { output, weights };
  const whole = weights ?? (node(4)[3] as Value);
  const kept = builder.op('Dropout', [whole, builder.scalar(dropout, whole.dtype)]);
  const training = weighted(builder, kept, inputs.value, { heads, keyHeads });
  return { output: builder.op('TrainingSwitch', [output, training]), weights };
}

/** `weights · value` head by head, `[batch, queries, heads·valueSize]`. */
function weighted(
  builder: GraphBuilder,
  weights: Value,
  value: Value,
  { heads, keyHeads }: { readonly heads: number; readonly keyHeads: number },
): Value {
  const size = Number(value.shape[2]) / keyHeads;
  const split = builder.op('Reshape', [value, builder.integers([0, 0, keyHeads, size])]);
  const byHead = builder.op('Transpose', [split], { perm: [0, 2, 1, 3] });
  const product = builder.op('MatMul', [weights, repeated(builder, byHead, heads / keyHeads)]);
  const joined = builder.op('Transpose', [product], { perm: [0, 2, 1, 3] });
  return builder.op('Reshape', [joined, builder.integers([0, 0, heads * size])]);
}

function repeated(builder: GraphBuilder, x: Value, times: number): Value {
  if (times === 1) return x;
  const [, heads, , size] = x.shape as readonly [unknown, number, unknown, number];
  const wide = builder.op('Unsqueeze', [x, builder.integers([2])]);
  const expanded = builder.op('Expand', [wide, builder.integers([1, 1, times, 1, 1])]);
  return builder.op('Reshape', [expanded, builder.integers([0, heads * times, -1, size])]);
}

/** The inputs of an attention layer, told apart. */
export interface AttentionInputs {
  readonly query: Value;
  readonly value: Value;
  readonly key: Value;
  /** What may be seen, bool, broadcasts to `[batch, heads, queries, keys]`. */
  readonly mask: Value | undefined;
}

/**
 * Tells the inputs of an attention layer apart: `(query)`, `(query, value)` or `(query, value, key)`, and behind them a bool
 * mask `[batch, queries, keys]` or `[batch, heads, queries, keys]`. Steps that the masks of values or keys leave out are not
 * seen.
 */
export function attentionInputs(context: LayerContext, inputs: readonly Value[]): AttentionInputs {
  const { builder, masks } = context;
  const given = inputs.at(-1)?.dtype === 'bool' ? inputs.at(-1) : undefined;
  const sequences = given === undefined ? inputs : inputs.slice(0, -1);
  const [query, value = query, key = value] = sequences as readonly [Value, Value?, Value?];
  for (const x of sequences) {
    if (x.shape.length !== 3)
      context.fail(`takes sequences [batch, steps, features], not [${x.shape}]`, { given: x.shape });
  }
  const ofKeys = new Set(sequences.length === 1 ? masks.slice(0, 1) : masks.slice(1, sequences.length));
  const padding = [...ofKeys].flatMap((mask) =>
    mask === undefined ? [] : [builder.op('Unsqueeze', [mask, builder.integers([1, 2])])],
  );
  const shaped = given === undefined ? [] : [byHead(context, given)];
  const mask = [...padding, ...shaped].reduce<Value | undefined>(
    (all, next) => (all === undefined ? next : builder.op('And', [all, next])),
    undefined,
  );
  return { query, value, key, mask };
}

function byHead(context: LayerContext, mask: Value): Value {
  const { builder } = context;
  if (mask.shape.length === 4) return mask;
  if (mask.shape.length === 3) return builder.op('Unsqueeze', [mask, builder.integers([1])]);
  return context.fail(`takes a mask [batch, queries, keys], not [${mask.shape}]`, { given: mask.shape });
}

/** Most inputs of a layer that takes query, value, key and a mask. */
export const attentionInputCount: { readonly min: number; readonly max: number } = { min: 1, max: 4 };

/** `x` as a number of the dtype of `like`. */
export function castLike(builder: GraphBuilder, x: Value, like: Value): Value {
  return x.dtype === like.dtype ? x : builder.op('Cast', [x], { to: onnxDataType(like.dtype) });
}
