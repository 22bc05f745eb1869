import { fromNumbers, reshapeTensor, type Tensor, toNumbers } from '../tensor/tensor.js';
import type { AttentionAttributes } from './attention.js';
import { type AttentionLayout, attentionInput, attentionLayout } from './attention-layout.js';
import { broadcastStrides } from './broadcast-rows.js';
import type { EvaluateContext } from './definition.js';
import { transposeTensor } from './strided-copy.js';

type Attributes = AttentionAttributes['Attention'];
type Concrete = AttentionLayout & { readonly [N in 'batch' | 'queries' | 'keys' | 'past' | 'total']: number };

interface Row {
  readonly sample: number;
  readonly head: number;
  readonly query: number;
}

interface Head {
  /** The query's features. */
  readonly q: Float64Array;
  /** All keys of the head, and all values. */
  readonly k: Float64Array;
  readonly v: Float64Array;
}

/** The plain reference of `Attention`: one query of one head after another. */
export function evaluateAttention(context: EvaluateContext<Attributes>): readonly Tensor[] {
  const { attributes, inputs, input, outputCount } = context;
  const layout = attentionLayout(inputs, attributes) as Concrete;
  const { batch, queryHeads, keyHeads, queries, total, headSize, valueSize, isFlat } = layout;
  const key = joined(inputs[attentionInput.pastKey], byHead(input(1), keyHeads));
  const value = joined(inputs[attentionInput.pastValue], byHead(input(2), keyHeads));
  const [q, k, v] = [byHead(input(0), queryHeads), key, value].map(toNumbers) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const rows = batch * queryHeads * queries;
  const [y, scores] = [new Float64Array(rows * valueSize), new Float64Array(rows * total)];
  const biasAt = biasOf(context, layout);
  for (let at = 0; at < rows; at++) {
    const row: Row = {
      sample: Math.floor(at / (queries * queryHeads)),
      head: Math.floor(at / queries) % queryHeads,
      query: at % queries,
    };
    const shared = row.sample * keyHeads + Math.floor((row.head * keyHeads) / queryHeads);
    const head: Head = {
      q: part(q, at, headSize),
      k: part(k, shared, total * headSize),
      v: part(v, shared, total * valueSize),
    };
    attend(head, (j) => biasAt(row, j), {
      attributes,
      scores: part(scores, at, total),
      y: part(y, at, valueSize),
    });
  }
  const result = fromNumbers('float64', [batch, queryHeads, queries, valueSize], y);
  const flat = [batch, queries, queryHeads * valueSize];
  return [
    isFlat ? reshapeTensor(transposeTensor(result, [0, 2, 1, 3]), flat) : result,
    key,
    value,
    fromNumbers('float64', [batch, queryHeads, queries, total], scores),
  ].slice(0, outputCount);
}

interface Target {
  readonly attributes: Attributes;
  readonly scores: Float64Array;
  readonly y: Float64Array;
}

function attend({ q, k, v }: Head, bias: (j: number) => number, { attributes, scores, y }: Target): void {
  const { softcap, scale = 1 / Math.sqrt(q.length), qk_matmul_output_mode: mode } = attributes;
  const raw = scores.map((_, j) => scale * q.reduce((sum, x, d) => sum + x * (k[j * q.length + d] as number), 0));
  const capped = softcap > 0 ? raw.map((score) => softcap * Math.tanh(score / softcap)) : raw;
  const biased = capped.map((score, j) => score + bias(j));
  const largest = biased.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const powers = biased.map((score) => (largest === Number.NEGATIVE_INFINITY ? 0 : Math.exp(score - largest)));
  const sum = powers.reduce((a, b) => a + b, 0) || 1;
  const weights = powers.map((power) => power / sum);
  y.forEach((_, d) => {
    y[d] = weights.reduce((total, weight, j) => total + weight * (v[j * y.length + d] as number), 0);
  });
  scores.set([raw, capped, biased, weights][mode] ?? raw);
}

/** What is added to the score of key `j` in a row: the mask, or −∞ where the key is not to be seen. */
function biasOf(
  { inputs, attributes }: EvaluateContext<Attributes>,
  layout: Concrete,
): (row: Row, j: number) => number {
  const { queries, past } = layout;
  const { is_causal, left_window_size: left, right_window_size: right } = attributes;
  const maskAt = maskReader(inputs[attentionInput.mask], layout);
  const lengths = inputs[attentionInput.validKeys];
  const valid = lengths === undefined ? undefined : toNumbers(lengths);
  return (row, j) => {
    const known = valid?.[row.sample] ?? Number.POSITIVE_INFINITY;
    const place = row.query + (valid === undefined ? past : known - queries);
    const isClosed =
      j >= known ||
      (is_causal === 1 && j > place) ||
      (left >= 0 && j < place - left) ||
      (right >= 0 && j > place + right);
    return isClosed ? Number.NEGATIVE_INFINITY : maskAt(row, j);
  };
}

function maskReader(mask: Tensor | undefined, layout: Concrete): (row: Row, j: number) => number {
  if (mask === undefined) return () => 0;
  const { batch, queryHeads, queries, total } = layout;
  const known = mask.shape.at(-1) === 1 ? total : (mask.shape.at(-1) as number);
  const strides = broadcastStrides(mask.shape, [batch, queryHeads, queries, known]);
  const values = toNumbers(mask);
  return ({ sample, head, query }, j) => {
    if (j >= known) return Number.NEGATIVE_INFINITY;
    const at = [sample, head, query, j].reduce((sum, index, axis) => sum + index * (strides[axis] as number), 0);
    const value = values[at] as number;
    if (mask.dtype !== 'bool') return value;
    return value === 0 ? Number.NEGATIVE_INFINITY : 0;
  };
}

const part = (values: Float64Array, index: number, length: number): Float64Array =>
  values.subarray(index * length, (index + 1) * length);

/** `[batch, time, heads·size]` as `[batch, heads, time, size]`; of rank 4 it is already. */
function byHead(t: Tensor, heads: number): Tensor {
  if (t.rank === 4) return t;
  const [batch, time, features] = t.shape as [number, number, number];
  return transposeTensor(reshapeTensor(t, [batch, time, heads, features / heads]), [0, 2, 1, 3]);
}

function joined(past: Tensor | undefined, now: Tensor): Tensor {
  if (past === undefined) return now;
  const [batch, heads, time, size] = now.shape as [number, number, number, number];
  const before = past.shape[2] as number;
  const [first, second] = [toNumbers(past), toNumbers(now)];
  const data = new Float64Array(batch * heads * (before + time) * size);
  for (let head = 0; head < batch * heads; head++) {
    const target = part(data, head, (before + time) * size);
    target.set(part(first, head, before * size));
    target.set(part(second, head, time * size), before * size);
  }
  return fromNumbers(now.dtype, [batch, heads, before + time, size], data);
}
