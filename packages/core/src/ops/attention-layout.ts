import type { ValueType } from '../graph/graph.js';
import { isFloat } from '../tensor/dtype.js';
import { addDimensions, broadcastShapes, compatibleDimension, type Dimension, formatShape } from '../tensor/shape.js';
import type { AttentionAttributes } from './attention.js';
import type { InferContext } from './definition.js';
import { requireDType, requireFloat, requireRank, requireSameDType } from './rules.js';

type Attributes = AttentionAttributes['Attention'];

/** A value of the graph, or what it is in a run. */
type Shaped = Pick<ValueType, 'shape'>;

/** Extents of one attention, whichever way its inputs are laid out. */
export interface AttentionLayout {
  readonly batch: Dimension;
  readonly queryHeads: number;
  /** Heads of keys and values; each serves `queryHeads / keyHeads` heads of queries. */
  readonly keyHeads: number;
  readonly queries: Dimension;
  /** Keys given now, without the past. */
  readonly keys: Dimension;
  readonly past: Dimension;
  /** `past + keys`. */
  readonly total: Dimension;
  readonly headSize: number;
  readonly valueSize: number;
  /** `[batch, time, heads·size]` instead of `[batch, heads, time, size]`. */
  readonly isFlat: boolean;
}

/** Places of the inputs. */
export const attentionInput = { query: 0, key: 1, value: 2, mask: 3, pastKey: 4, pastValue: 5, validKeys: 6 } as const;

/** The layout of inputs that have passed {@link inferAttention}. */
export function attentionLayout(inputs: readonly (Shaped | undefined)[], attributes: Attributes): AttentionLayout {
  const [query, key, value] = inputs as readonly [Shaped, Shaped, Shaped];
  const past = inputs[attentionInput.pastKey]?.shape[2] ?? 0;
  const isFlat = query.shape.length === 3;
  const heads = (given: number | undefined, { shape }: Shaped): number => (isFlat ? (given ?? 1) : Number(shape[1]));
  const queryHeads = heads(attributes.q_num_heads, query);
  const keyHeads = heads(attributes.kv_num_heads, key);
  const size = ({ shape }: Shaped, count: number): number => Number(shape.at(-1)) / (isFlat ? count : 1);
  const keys = key.shape.at(-2) as Dimension;
  return {
    batch: query.shape[0] as Dimension,
    queryHeads,
    keyHeads,
    queries: query.shape.at(-2) as Dimension,
    keys: isFlat ? (key.shape[1] as Dimension) : keys,
    past,
    total: addDimensions(past, keys),
    headSize: size(query, queryHeads),
    valueSize: size(value, keyHeads),
    isFlat,
  };
}

/** Shape rule of `Attention`: `(y, presentKey, presentValue, scores)`. */
export function inferAttention(context: InferContext<Attributes>): readonly ValueType[] {
  checkTypes(context);
  checkHeads(context);
  const layout = attentionLayout(context.inputs, context.attributes);
  checkExtents(context, layout);
  const { batch, queryHeads, keyHeads, queries, total, headSize, valueSize, isFlat } = layout;
  const [query, value] = [context.input(0), context.input(2)];
  checkMask(context, [batch, queryHeads, queries, total]);
  return [
    {
      dtype: query.dtype,
      shape: isFlat ? [batch, queries, queryHeads * valueSize] : [batch, queryHeads, queries, valueSize],
    },
    { dtype: query.dtype, shape: [batch, keyHeads, total, headSize] },
    { dtype: value.dtype, shape: [batch, keyHeads, total, valueSize] },
    { dtype: query.dtype, shape: [batch, queryHeads, queries, total] },
  ];
}

function checkTypes(context: InferContext<Attributes>): void {
  const { inputs } = context;
  const rank = context.input(0).shape.length;
  if (rank !== 3 && rank !== 4) requireRank(context, 0, 4, 'the query');
  requireFloat(context, 0);
  for (const [index, what] of [
    [1, 'the key'],
    [2, 'the value'],
  ] as const) {
    requireRank(context, index, rank, what);
    requireSameDType(context, 0, index);
  }
  const { pastKey, pastValue, validKeys } = attentionInput;
  if ((inputs[pastKey] === undefined) !== (inputs[pastValue] === undefined)) {
    context.fail('past keys and past values come together', {}, 'invalid-graph');
  }
  for (const index of [pastKey, pastValue]) {
    if (inputs[index] === undefined) continue;
    requireRank(context, index, 4);
    requireSameDType(context, 0, index);
  }
  if (inputs[validKeys] === undefined) return;
  requireDType(context, validKeys, 'int64');
  requireRank(context, validKeys, 1, 'nonpad_kv_seqlen');
  if (inputs[pastKey] !== undefined) {
    context.fail(
      'nonpad_kv_seqlen says how much of the keys is valid; there cannot be past keys too',
      {},
      'invalid-graph',
    );
  }
}

function checkHeads(context: InferContext<Attributes>): void {
  const { q_num_heads: queryHeads, kv_num_heads: keyHeads } = context.attributes;
  const flat = context.input(0).shape.length === 3;
  if (flat && (queryHeads === undefined || keyHeads === undefined)) {
    context.fail("inputs of rank 3 need attributes 'q_num_heads' and 'kv_num_heads'", {}, 'invalid-attribute');
  }
  const given = [queryHeads, keyHeads, keyHeads];
  const [ofQuery, ofKey, ofValue] = given.map((heads, index) => headsOf(context, index, flat ? heads : undefined));
  if (ofQuery === undefined || ofKey === undefined) return;
  if (ofKey !== ofValue || ofQuery % ofKey !== 0) {
    context.fail(`${ofQuery} query heads cannot share ${ofKey} key heads and ${ofValue} value heads evenly`, {
      given: [ofQuery, ofKey, ofValue],
    });
  }
}

/** Heads of an input, as `declared` or as its second axis says. */
function headsOf(context: InferContext<Attributes>, index: number, declared: number | undefined): number {
  const { shape } = context.input(index);
  const [count, features] = [declared ?? shape[1], shape.at(-1)];
  if (typeof count !== 'number' || typeof features !== 'number') {
    const message = `input ${index} has shape ${formatShape(shape)}; its heads and their size must be known`;
    return context.fail(message, { given: shape }, 'unsupported-shape');
  }
  if (declared !== undefined && (count < 1 || features % count !== 0)) {
    context.fail(`input ${index} of ${features} features does not divide into ${count} heads`, { given: count });
  }
  return count;
}

function checkExtents(context: InferContext<Attributes>, layout: AttentionLayout): void {
  const { batch, keyHeads, keys, past, headSize, valueSize, isFlat } = layout;
  const shapeOf = (time: Dimension, size: number): readonly Dimension[] =>
    isFlat ? [batch, time, keyHeads * size] : [batch, keyHeads, time, size];
  const expected: readonly (readonly [number, string, readonly Dimension[]])[] = [
    [attentionInput.key, 'the key', shapeOf(keys, headSize)],
    [attentionInput.value, 'the value', shapeOf(keys, valueSize)],
    [attentionInput.pastKey, 'the past key', [batch, keyHeads, past, headSize]],
    [attentionInput.pastValue, 'the past value', [batch, keyHeads, past, valueSize]],
    [attentionInput.validKeys, 'nonpad_kv_seqlen', [batch]],
  ];
  for (const [index, what, shape] of expected) {
    const given = context.inputs[index]?.shape;
    if (given === undefined || given.every((extent, axis) => compatibleDimension(extent, shape[axis] as Dimension))) {
      continue;
    }
    const query = formatShape(context.input(0).shape);
    context.fail(
      `${what} has shape ${formatShape(given)}; with a query of shape ${query} it must be ${formatShape(shape)}`,
      {
        given,
        allowed: shape,
      },
    );
  }
}

function checkMask(context: InferContext<Attributes>, scores: readonly Dimension[]): void {
  const mask = context.inputs[attentionInput.mask];
  if (mask === undefined) return;
  if (isFloat(mask.dtype)) requireSameDType(context, 0, attentionInput.mask);
  else requireDType(context, attentionInput.mask, 'bool');
  const { shape } = mask;
  // The mask may know fewer keys than there are; those it does not know are closed.
  const [known, total] = [shape.at(-1), scores[3]];
  const isShorter = typeof known === 'number' && typeof total === 'number' && known > 1 && known < total;
  const target = isShorter ? [...scores.slice(0, 3), known] : scores;
  const common = shape.length > 4 ? undefined : broadcastShapes(shape, target);
  if (common?.length !== 4 || !common.every((extent, axis) => compatibleDimension(extent, target[axis] as Dimension))) {
    context.fail(`attn_mask ${formatShape(shape)} does not broadcast to the scores ${formatShape(scores)}`, {
      given: shape,
      allowed: scores,
    });
  }
}
