import type { Value } from '../graph/graph.js';
import type { GraphBuilder } from '../graph/graph-builder.js';
import { castTo, sliceOf } from '../graph/shape-ops.js';
import type { DType } from '../tensor/dtype.js';
import { dtypeOfOnnx } from '../tensor/onnx-data-type.js';
import { concreteShape } from '../tensor/shape.js';
import { Algebra } from './algebra.js';
import type { AttentionAttributes } from './attention.js';
import { type AttentionBias, attentionBias } from './attention-bias.js';
import { type AttentionLayout, attentionInput, attentionLayout } from './attention-layout.js';
import type { DecomposeContext, GradientContext } from './definition.js';

type Attributes = AttentionAttributes['Attention'];

const headsFirst = [0, 2, 1, 3];

/** The steps of an attention, in order; all `[batch, heads, …]`. */
interface Steps {
  /** The query times the scale. */
  readonly q: Value;
  /** Keys and values with their past, each head once. */
  readonly key: Value;
  readonly value: Value;
  /** The same, once for each head of queries. */
  readonly k: Value;
  readonly v: Value;
  readonly raw: Value;
  readonly capped: Value;
  readonly bias: AttentionBias | undefined;
  readonly weights: Value;
}

interface Request {
  readonly builder: GraphBuilder;
  readonly inputs: readonly (Value | undefined)[];
  readonly attributes: Attributes;
  readonly layout: AttentionLayout;
}

/** `softmax(scale·q·kᵀ + bias)·v` from products of matrices. */
export function decomposeAttention(context: DecomposeContext<Attributes>): readonly Value[] {
  const { builder, inputs, attributes, outputs, outputCount } = context;
  const layout = attentionLayout(inputs, attributes);
  const steps = buildSteps({ builder, inputs, attributes, layout });
  const y = joinHeads(builder, builder.op('MatMul', [steps.weights, steps.v]), layout);
  if (outputCount < 4) return [y, steps.key, steps.value].slice(0, outputCount);
  return [y, steps.key, steps.value, castTo(builder, scoresOf(steps, attributes), (outputs[3] as Value).dtype)];
}

function scoresOf({ raw, capped, bias, weights }: Steps, attributes: Attributes): Value {
  switch (attributes.qk_matmul_output_mode) {
    case 1:
      return capped;
    case 2:
      return bias === undefined ? capped : bias.addInfiniteTo(capped);
    case 3:
      return weights;
    default:
      return raw;
  }
}

function buildSteps(request: Request): Steps {
  const { builder, inputs, attributes, layout } = request;
  const [query, key, value] = inputs as readonly [Value, Value, Value];
  const { queryHeads, keyHeads, headSize, valueSize } = layout;
  const f = new Algebra(builder);
  const scale = attributes.scale ?? 1 / Math.sqrt(headSize);
  // Right before the product, where a backend can take it in.
  const split = splitHeads(builder, query, queryHeads, headSize);
  const q = scale === 1 ? split : f.mul(split, scale);
  const keys = afterPast(request, attentionInput.pastKey, splitHeads(builder, key, keyHeads, headSize));
  const values = afterPast(request, attentionInput.pastValue, splitHeads(builder, value, keyHeads, valueSize));
  const k = repeatHeads(builder, keys, layout, headSize);
  const raw = builder.op('MatMul', [q, builder.op('Transpose', [k], { perm: [0, 1, 3, 2] })]);
  const { softcap } = attributes;
  const capped = softcap > 0 ? f.mul(f.tanh(f.div(raw, softcap)), softcap) : raw;
  const bias = attentionBias({ ...request, query: q, keys });
  const precision: DType =
    attributes.softmax_precision === undefined ? raw.dtype : dtypeOfOnnx(attributes.softmax_precision);
  const biased = bias === undefined ? capped : bias.addTo(capped);
  const softmax = castTo(builder, builder.op('Softmax', [castTo(builder, biased, precision)]), raw.dtype);
  const weights = bias?.openRows === undefined ? softmax : f.mul(softmax, bias.openRows);
  return {
    q,
    key: keys,
    value: values,
    k,
    v: repeatHeads(builder, values, layout, valueSize),
    raw,
    capped,
    bias,
    weights,
  };
}

/** `[batch, time, heads·size]` as `[batch, heads, time, size]`. */
function splitHeads(builder: GraphBuilder, x: Value, heads: number, size: number): Value {
  if (x.shape.length === 4) return x;
  const split = builder.op('Reshape', [x, builder.integers([0, 0, heads, size])]);
  return builder.op('Transpose', [split], { perm: headsFirst });
}

/** The way back, where the attention's inputs came that way. */
function joinHeads(builder: GraphBuilder, x: Value, { isFlat }: AttentionLayout): Value {
  if (!isFlat) return x;
  const features = Number(x.shape[1]) * Number(x.shape[3]);
  return builder.op('Reshape', [
    builder.op('Transpose', [x], { perm: headsFirst }),
    builder.integers([0, 0, features]),
  ]);
}

function afterPast({ builder, inputs }: Request, index: number, now: Value): Value {
  const past = inputs[index];
  return past === undefined ? now : builder.op('Concat', [past, now], { axis: 2 });
}

/** Each head of keys as often as heads of queries share it. */
function repeatHeads(builder: GraphBuilder, x: Value, { queryHeads, keyHeads }: AttentionLayout, size: number): Value {
  if (queryHeads === keyHeads) return x;
  const wide = builder.op('Unsqueeze', [x, builder.integers([2])]);
  const repeated = builder.op('Expand', [wide, builder.integers([1, 1, queryHeads / keyHeads, 1, 1])]);
  return builder.op('Reshape', [repeated, builder.integers([0, queryHeads, -1, size])]);
}

/**
 * With `p` the weights: `dv = pᵀ·dy`, `dp = dy·vᵀ`, `ds = p∘(dp − Σ p∘dp)`, through the softcap `ds∘(1 − (s/c)²)`,
 * `dq = scale·ds·k`, `dk = scale·dsᵀ·q`; the mask gets `ds`. Heads that share keys add up.
 */
export function attentionGradient(context: GradientContext<Attributes>): readonly (Value | undefined)[] {
  const { builder, inputs, attributes, needs, outputGradients } = context;
  const layout = attentionLayout(inputs, attributes);
  const built = buildSteps({ builder, inputs, attributes, layout });
  // Where the node gives its weights, they need not be computed again.
  const given = attributes.qk_matmul_output_mode === 3 ? context.outputs[3] : undefined;
  const steps = given === undefined ? built : { ...built, weights: given };
  const { q, k, v, weights } = steps;
  const [dy, dKeyOut, dValueOut] = outputGradients;
  const seed = dy && splitHeads(builder, dy, layout.queryHeads, layout.valueSize);
  const product = (a: Value, b: Value): Value => builder.op('MatMul', [a, b]);
  const flipped = (x: Value): Value => builder.op('Transpose', [x], { perm: [0, 1, 3, 2] });
  const needsScores = [0, 1, attentionInput.mask, attentionInput.pastKey].some(needs);
  const needsValue = needs(2) || needs(attentionInput.pastValue);
  const through = needsScores ? scoreGradients(context, steps, seed && product(seed, flipped(v))) : undefined;
  const dk = through?.raw && sumHeads(builder, product(flipped(through.raw), q), layout);
  const dv = needsValue && seed ? sumHeads(builder, product(flipped(weights), seed), layout) : undefined;
  const f = new Algebra(builder);
  const add = (a: Value | undefined, b: Value | undefined): Value | undefined => (a && b ? f.add(a, b) : (a ?? b));
  const [dPastKey, dKey] = beforeAndNow(context, add(dk, dKeyOut), layout);
  const [dPastValue, dValue] = beforeAndNow(context, add(dv, dValueOut), layout);
  const scale = attributes.scale ?? 1 / Math.sqrt(layout.headSize);
  const scaledKeys = scale === 1 ? k : f.mul(k, scale);
  return [
    needs(0) && through?.raw ? joinHeads(builder, product(through.raw, scaledKeys), layout) : undefined,
    dKey && joinHeads(builder, dKey, layout),
    dValue && joinHeads(builder, dValue, layout),
    needs(attentionInput.mask) ? through?.mask : undefined,
    dPastKey,
    dPastValue,
    undefined,
  ];
}

interface ScoreGradients {
  /** Of the product of queries and keys. */
  readonly raw: Value | undefined;
  readonly mask: Value | undefined;
}

function scoreGradients(context: GradientContext<Attributes>, steps: Steps, dp: Value | undefined): ScoreGradients {
  const { builder, attributes, inputs, outputGradients } = context;
  const f = new Algebra(builder);
  const { capped, weights, raw } = steps;
  const { softcap, qk_matmul_output_mode: mode } = attributes;
  const dScores = outputGradients[3] && castTo(builder, outputGradients[3], raw.dtype);
  const add = (a: Value | undefined, b: Value | undefined): Value | undefined => (a && b ? f.add(a, b) : (a ?? b));
  const dWeights = add(dp, mode === 3 ? dScores : undefined);
  const throughSoftmax = dWeights && softmaxGradient(f, weights, dWeights);
  const dBiased = add(throughSoftmax, mode === 2 ? dScores : undefined);
  const dCapped = add(dBiased, mode === 1 ? dScores : undefined);
  const slope = (): Value => f.sub(1, f.square(f.div(capped, softcap)));
  const throughCap = dCapped && softcap > 0 ? f.mul(dCapped, slope()) : dCapped;
  return {
    raw: add(throughCap, mode === 0 ? dScores : undefined),
    mask: dBiased && maskGradient(builder, dBiased, inputs[attentionInput.mask]),
  };
}

// The last axis of a mask may be shorter than that of the scores.
function maskGradient(builder: GraphBuilder, gradient: Value, mask: Value | undefined): Value | undefined {
  const [known, total] = [mask?.shape.at(-1), gradient.shape.at(-1)];
  if (mask === undefined || known === 1 || known === total) return gradient;
  return sliceOf(builder, gradient, [{ axis: 3, start: 0, end: known as number }]);
}

function softmaxGradient(f: Algebra, y: Value, dy: Value): Value {
  const { builder } = f;
  const product = f.mul(y, dy);
  const sum = builder.op('ReduceSum', [product, builder.integers([-1])], { keepdims: 1 });
  return f.sub(product, f.mul(y, sum));
}

/** Gradients of heads that share keys, added up. */
function sumHeads(builder: GraphBuilder, x: Value, { queryHeads, keyHeads }: AttentionLayout): Value {
  if (queryHeads === keyHeads) return x;
  const [batch, , time, size] = concreteShape(x.shape, 'a gradient') as [number, number, number, number];
  const grouped = builder.op('Reshape', [x, builder.integers([batch, keyHeads, queryHeads / keyHeads, time, size])]);
  return builder.op('ReduceSum', [grouped, builder.integers([2])], { keepdims: 0 });
}

/** The gradient of joined keys, cut into that of the past and that of the ones given now. */
function beforeAndNow(
  { builder }: GradientContext<Attributes>,
  joined: Value | undefined,
  { past, total }: AttentionLayout,
): readonly [Value | undefined, Value | undefined] {
  if (joined === undefined || past === 0) return [undefined, joined];
  const [before, all] = [past as number, total as number];
  return [
    sliceOf(builder, joined, [{ axis: 2, start: 0, end: before }]),
    sliceOf(builder, joined, [{ axis: 2, start: before, end: all }]),
  ];
}
