import type { Value } from '@modelwright/core';
import type { InitializerLike } from '../../initializers/initializer.js';
import { createLayer, floatDType, type Layer, type LayerContext, requireKnown } from '../../layer.js';
import { type AttentionInputs, attend, attentionInputCount, attentionInputs, castLike } from './attend.js';
import type { AttendingOptions } from './multi-head-attention.js';

export interface AttentionOptions extends AttendingOptions {
  /** `dot`: `q·k`; `concat`: `Σ tanh(q + k)`. Default dot. */
  readonly scoreMode?: 'dot' | 'concat';
  /** Learn a number `scale` that scores (`dot`) or sums (`concat`) are multiplied by. Default false. */
  readonly useScale?: boolean;
}

/**
 * Attention without projections: `softmax(q·kᵀ)·v`, or with `concat` scores `w·Σ tanh(scale·(q + k))`.
 *
 * Inputs `(query, value)` or `(query, value, key)`, each `[batch, steps, features]`, and behind them, if wanted, a bool mask
 * `[batch, queries, keys]`; output `[batch, queries, features of value]`. Weights `scale` and `concatScoreWeight`, scalars, as
 * the options ask.
 *
 * @see Luong et al., arXiv:1508.04025.
 */
export function attention(options: AttentionOptions = {}): Layer {
  const { scoreMode = 'dot', useScale = false } = options;
  return createLayer({
    kind: 'attention',
    options,
    inputCount: { ...attentionInputCount, min: 2 },
    mask: 'keep',
    build(context, inputs) {
      const { builder } = context;
      const given = attentionInputs(context, inputs);
      const factor = (name: string): Value =>
        context.addWeight({ name, shape: [], initializer: 'ones', dtype: floatDType(context, given.query) });
      const scale = useScale ? factor('scale') : undefined;
      const scaled = (x: Value): Value => (scale === undefined ? x : builder.op('Mul', [x, scale]));
      if (scoreMode === 'dot') return dotProduct(context, { ...given, query: scaled(given.query) }, options);
      const weight = factor('concatScoreWeight');
      const bent = builder.op('Tanh', [scaled(pairs(context, given))]);
      const sums = builder.op('ReduceSum', [bent, builder.integers([-1])], { keepdims: 0 });
      return weigh(context, builder.op('Mul', [sums, weight]), given, options);
    },
  });
}

export interface AdditiveAttentionOptions extends AttendingOptions {
  /** Learn a vector `scale` that weighs the features. Default true. */
  readonly useScale?: boolean;
  /** Of `scale`. Default glorotUniform. */
  readonly scaleInitializer?: InitializerLike;
}

/**
 * Additive attention: scores `Σ scale·tanh(q + k)`. Inputs, output and masks as those of {@link attention}; weight `scale`
 * `[features]`.
 *
 * @see Bahdanau et al., arXiv:1409.0473.
 */
export function additiveAttention(options: AdditiveAttentionOptions = {}): Layer {
  return createLayer({
    kind: 'additiveAttention',
    options,
    inputCount: { ...attentionInputCount, min: 2 },
    mask: 'keep',
    build(context, inputs) {
      const { builder } = context;
      const given = attentionInputs(context, inputs);
      const bent = builder.op('Tanh', [pairs(context, given)]);
      const scale =
        options.useScale === false
          ? undefined
          : context.addWeight({
              name: 'scale',
              shape: [requireKnown(context, given.query, -1)],
              initializer: options.scaleInitializer ?? 'glorotUniform',
              dtype: floatDType(context, given.query),
            });
      const weighed = scale === undefined ? bent : builder.op('Mul', [bent, scale]);
      const scores = builder.op('ReduceSum', [weighed, builder.integers([-1])], { keepdims: 0 });
      return weigh(context, scores, given, options);
    },
  });
}

function dotProduct(
  context: LayerContext,
  given: AttentionInputs,
  options: AttendingOptions,
): Value | readonly Value[] {
  const { output, weights } = attend(context, given, {
    heads: 1,
    scale: 1,
    causal: options.useCausalMask,
    dropout: options.dropout,
    withWeights: options.returnAttentionScores,
  });
  const seen = onlyCounted(context, output);
  if (weights === undefined) return seen;
  return [seen, context.builder.op('Squeeze', [weights, context.builder.integers([1])])];
}

/** `q + k` for each pair, `[batch, queries, keys, features]`. */
function pairs({ builder }: LayerContext, { query, key }: AttentionInputs): Value {
  const wide = (x: Value, axis: number): Value => builder.op('Unsqueeze', [x, builder.integers([axis])]);
  return builder.op('Add', [wide(query, 2), wide(key, 1)]);
}

const veryLow = -1e9;

/** `softmax(scores)·value` with scores `[batch, queries, keys]`. */
function weigh(
  context: LayerContext,
  scores: Value,
  given: AttentionInputs,
  options: AttendingOptions,
): Value | readonly Value[] {
  const { builder } = context;
  const { value } = given;
  const mask = given.mask && builder.op('Squeeze', [given.mask, builder.integers([1])]);
  const open = [...(mask === undefined ? [] : [mask]), ...(options.useCausalMask ? [upToOwn(context, given)] : [])];
  const biased = open.reduce((sum, each) => {
    const [none, low] = [0, veryLow].map((number) => builder.scalar(number, sum.dtype)) as [Value, Value];
    return builder.op('Add', [sum, builder.op('Where', [each, none, low])]);
  }, scores);
  const weights = builder.op('Softmax', [biased]);
  const rate = options.dropout ?? 0;
  const kept = rate === 0 ? weights : builder.op('Dropout', [weights, builder.scalar(rate, weights.dtype)]);
  const seen = onlyCounted(context, builder.op('MatMul', [kept, value]));
  return options.returnAttentionScores ? [seen, weights] : seen;
}

/** Whether a key is not behind its query, `[queries, keys]`. */
function upToOwn({ builder }: LayerContext, { query, key }: AttentionInputs): Value {
  const own = builder.op('Unsqueeze', [builder.op('Positions', [query], { axis: 1 }), builder.integers([1])]);
  return builder.op('LessOrEqual', [builder.op('Positions', [key], { axis: 1 }), own]);
}

/** Zeros where the query itself does not count. */
function onlyCounted({ builder, masks }: LayerContext, output: Value): Value {
  const [mask] = masks;
  if (mask === undefined) return output;
  const counted = builder.op('Unsqueeze', [mask, builder.integers([-1])]);
  return builder.op('Mul', [output, castLike(builder, counted, output)]);
}
