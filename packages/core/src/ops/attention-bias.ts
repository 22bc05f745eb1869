import type { Value } from '../graph/graph.js';
import type { GraphBuilder } from '../graph/graph-builder.js';
import { castTo } from '../graph/shape-ops.js';
import type { DType } from '../tensor/dtype.js';
import { fullTensor } from '../tensor/tensor.js';
import { Algebra } from './algebra.js';
import type { AttentionAttributes } from './attention.js';
import { type AttentionLayout, attentionInput } from './attention-layout.js';
import { extentAt, positionsUpTo } from './attention-positions.js';

/** What masks do to the scores of one attention. */
export interface AttentionBias {
  /** The scores with masked ones so low that their weight is exactly 0, but finite. */
  addTo(scores: Value): Value;
  /** The scores with masked ones at −∞. */
  addInfiniteTo(scores: Value): Value;
  /** 1 for queries that see a key, 0 for the others; undefined where all do. */
  readonly openRows: Value | undefined;
}

interface Request {
  readonly builder: GraphBuilder;
  readonly inputs: readonly (Value | undefined)[];
  readonly attributes: AttentionAttributes['Attention'];
  readonly layout: AttentionLayout;
  /** `[batch, heads, queries, size]` and `[batch, heads, total, size]`. */
  readonly query: Value;
  readonly keys: Value;
}

/** A quarter of the lowest number: no sum of two of them and a score overflows. */
const veryLow: { readonly [D in DType]?: number } = {
  float16: -16_000,
  bfloat16: -8e37,
  float32: -8e37,
  float64: -4e307,
};

/** The bias of all masks together; undefined where there is none. */
export function attentionBias(request: Request): AttentionBias | undefined {
  const { builder, inputs, query } = request;
  const f = new Algebra(builder);
  const { dtype } = query;
  const mask = inputs[attentionInput.mask];
  const isAdded = mask !== undefined && mask.dtype !== 'bool';
  const openings = openKeys(request);
  if (mask === undefined && openings.length === 0) return undefined;
  const open = openings.reduce<Value | undefined>((a, b) => (a ? builder.op('And', [a, b]) : b), undefined);
  const low = builder.scalar(veryLow[dtype] ?? -8e37, dtype);
  const zero = builder.scalar(0, dtype);
  const closed = open && builder.op('Where', [open, zero, low]);
  const added = isAdded ? padMask(request, mask, low) : undefined;
  const finite = added && builder.op('Max', [added, low]);
  const bias = (finite && closed ? f.add(finite, closed) : (finite ?? closed)) as Value;
  return {
    addTo: (scores) => f.add(scores, bias),
    addInfiniteTo: (scores) => {
      const infinite = builder.constant(fullTensor(dtype, [], Number.NEGATIVE_INFINITY), { name: 'infinite' });
      const withMask = added ? f.add(scores, added) : scores;
      return open ? builder.op('Where', [open, withMask, infinite]) : withMask;
    },
    openRows: seesAlways(request) ? undefined : openRows(f, bias),
  };
}

function openRows(f: Algebra, bias: Value): Value {
  const { builder } = f;
  const best = builder.op('ReduceMax', [bias, builder.integers([-1])], { keepdims: 1 });
  return castTo(builder, f.greater(best, (veryLow[bias.dtype] ?? -8e37) / 2), bias.dtype);
}

/** Whether every query sees a key whatever is fed: the causal mask and the windows leave its own. */
function seesAlways({ inputs, layout }: Request): boolean {
  const { mask, validKeys } = attentionInput;
  const { queries, keys } = layout;
  const hasOwnKey = queries === keys;
  return hasOwnKey && inputs[mask] === undefined && inputs[validKeys] === undefined;
}

/** Boolean masks to be met together, each broadcasting to the scores. */
function openKeys(request: Request): Value[] {
  const { builder, inputs } = request;
  const mask = inputs[attentionInput.mask];
  const lengths = inputs[attentionInput.validKeys];
  const open = byPlace(request);
  if (mask?.dtype === 'bool') open.push(padMask(request, mask, undefined));
  if (lengths !== undefined) {
    const valid = builder.op('Unsqueeze', [lengths, builder.integers([1, 2, 3])]);
    open.push(builder.op('Less', [positionsUpTo(builder, extentAt(builder, request.keys, 2)), valid]));
  }
  return open;
}

/** The causal mask and the windows, `[queries, total]` or `[batch, 1, queries, total]`. */
function byPlace(request: Request): Value[] {
  const { builder, attributes, query, keys } = request;
  const { is_causal, left_window_size: left, right_window_size: right } = attributes;
  if (is_causal !== 1 && left < 0 && right < 0) return [];
  const f = new Algebra(builder);
  const own = builder.op('Unsqueeze', [positionsUpTo(builder, extentAt(builder, query, 2)), builder.integers([1])]);
  const offset = offsetOf(request);
  const place = offset === undefined ? own : f.add(own, offset);
  const key = positionsUpTo(builder, extentAt(builder, keys, 2));
  const open: Value[] = [];
  if (is_causal === 1) open.push(builder.op('LessOrEqual', [key, place]));
  if (left >= 0) open.push(builder.op('GreaterOrEqual', [key, f.sub(place, left)]));
  if (right >= 0 && !(is_causal === 1)) open.push(builder.op('LessOrEqual', [key, f.add(place, right)]));
  return open;
}

/** How many keys come before the first query. */
function offsetOf({ builder, inputs, query }: Request): Value | undefined {
  const f = new Algebra(builder);
  const past = inputs[attentionInput.pastKey];
  const asValue = (extent: number | Value): Value =>
    typeof extent === 'number' ? builder.scalar(extent, 'int64') : extent;
  if (past !== undefined) return asValue(extentAt(builder, past, 2));
  const lengths = inputs[attentionInput.validKeys];
  if (lengths === undefined) return undefined;
  const wide = builder.op('Unsqueeze', [lengths, builder.integers([1, 2, 3])]);
  return f.sub(wide, asValue(extentAt(builder, query, 2)));
}

/** The mask with keys it does not know closed. */
function padMask({ builder, layout }: Request, mask: Value, low: Value | undefined): Value {
  const [known, total] = [mask.shape.at(-1), layout.total];
  if (typeof known !== 'number' || typeof total !== 'number' || known === 1 || known >= total) return mask;
  const rank = mask.shape.length;
  const pads = builder.integers([...new Array<number>(2 * rank - 1).fill(0), total - known]);
  return builder.op('Pad', [mask, pads, low ?? builder.constant(fullTensor('bool', [], 0), { name: 'closed' })]);
}
