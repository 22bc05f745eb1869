import { floats, given, type OpCase, random } from './case.js';

const accumulation = 16;
const closed = Number.NEGATIVE_INFINITY;

/** `[batch, heads, time, size]` of queries, keys and values. */
const qkv = (queries: number, keys: number, heads = 2, keyHeads = heads): OpCase['inputs'] => [
  floats([2, heads, queries, 2]),
  floats([2, keyHeads, keys, 2]),
  floats([2, keyHeads, keys, 3]),
];

const past = [floats([2, 2, 2, 2]), floats([2, 2, 2, 3])];

const attention: readonly OpCase[] = [
  { id: 'attention/Attention/cross', op: 'Attention', inputs: qkv(3, 4), differentiable: [0, 1, 2], accumulation },
  {
    id: 'attention/Attention/causal',
    op: 'Attention',
    inputs: qkv(3, 3),
    attributes: { is_causal: 1 },
    differentiable: [0, 1, 2],
    accumulation,
  },
  {
    id: 'attention/Attention/flat, scaled',
    op: 'Attention',
    inputs: [floats([2, 3, 4]), floats([2, 3, 4]), floats([2, 3, 6])],
    attributes: { q_num_heads: 2, kv_num_heads: 2, scale: 0.3, is_causal: 1 },
    differentiable: [0, 1, 2],
    accumulation,
  },
  {
    id: 'attention/Attention/flat, shared heads, softcap',
    op: 'Attention',
    inputs: [floats([1, 3, 8]), floats([1, 2, 4]), floats([1, 2, 6])],
    attributes: { q_num_heads: 4, kv_num_heads: 2, softcap: 1.5 },
    differentiable: [0, 1, 2],
    accumulation,
  },
  {
    id: 'attention/Attention/past and present',
    op: 'Attention',
    inputs: [...qkv(2, 2), undefined, ...past],
    attributes: { is_causal: 1 },
    outputs: 3,
    differentiable: [0, 1, 2, 4, 5],
    accumulation,
  },
  {
    id: 'attention/Attention/boolean mask, a query without keys',
    op: 'Attention',
    inputs: [...qkv(3, 3), given('bool', [true, false, true, false, false, false, true, true, true], [3, 3])],
    differentiable: [0, 1, 2],
    accumulation,
  },
  {
    id: 'attention/Attention/padding mask, causal',
    op: 'Attention',
    inputs: [...qkv(3, 3), given('bool', [true, true, false, true, true, true], [2, 1, 1, 3])],
    attributes: { is_causal: 1 },
    differentiable: [0, 1, 2],
    accumulation,
  },
  {
    id: 'attention/Attention/added mask, weights out',
    op: 'Attention',
    inputs: [...qkv(2, 3), floats([2, 1, 2, 3])],
    attributes: { qk_matmul_output_mode: 3 },
    outputs: 4,
    differentiable: [0, 1, 2, 3],
    accumulation,
  },
  {
    id: 'attention/Attention/added mask with −∞, shorter than the keys',
    op: 'Attention',
    inputs: [...qkv(2, 4), given('float32', [0.5, closed, 0, 1, -1, closed], [2, 3])],
    differentiable: [0, 1, 2],
    accumulation,
  },
  {
    id: 'attention/Attention/scores out',
    op: 'Attention',
    inputs: qkv(2, 3),
    attributes: { softcap: 2 },
    outputs: 4,
    differentiable: [0, 1],
    accumulation,
  },
  {
    id: 'attention/Attention/scores after the softcap out',
    op: 'Attention',
    inputs: qkv(2, 3),
    attributes: { softcap: 2, qk_matmul_output_mode: 1 },
    outputs: 4,
    differentiable: [0, 1],
    accumulation,
  },
  {
    id: 'attention/Attention/windows',
    op: 'Attention',
    inputs: qkv(4, 4, 1),
    attributes: { left_window_size: 1, right_window_size: 1 },
    differentiable: [0, 1, 2],
    accumulation,
  },
  {
    id: 'attention/Attention/valid keys, causal',
    op: 'Attention',
    inputs: [...qkv(2, 5), undefined, undefined, undefined, given('int64', [3n, 5n])],
    attributes: { is_causal: 1 },
    differentiable: [0, 1, 2],
    accumulation,
  },
  {
    id: 'attention/Attention/large',
    op: 'Attention',
    inputs: [floats([2, 33, 64]), floats([2, 33, 64]), floats([2, 33, 64])],
    attributes: { q_num_heads: 4, kv_num_heads: 4, is_causal: 1 },
    accumulation: 64,
  },
  {
    id: 'attention/Attention/float16',
    op: 'Attention',
    inputs: [random('float16', [1, 2, 3, 4]), random('float16', [1, 2, 3, 4]), random('float16', [1, 2, 3, 4])],
    attributes: { is_causal: 1 },
    accumulation,
  },
  {
    id: 'attention/Attention/no samples',
    op: 'Attention',
    inputs: [floats([0, 3, 4]), floats([0, 3, 4]), floats([0, 3, 4])],
    attributes: { q_num_heads: 2, kv_num_heads: 2 },
  },
];

const places = given('int64', [0n, 2n, 3n, 1n, 4n, 0n], [2, 3]);

const rotary: readonly OpCase[] = [
  {
    id: 'attention/RotaryEmbedding/flat, by position',
    op: 'RotaryEmbedding',
    inputs: [floats([2, 3, 8]), floats([5, 2]), floats([5, 2]), places],
    attributes: { num_heads: 2 },
    differentiable: [0, 1, 2],
  },
  {
    id: 'attention/RotaryEmbedding/by head, interleaved',
    op: 'RotaryEmbedding',
    inputs: [floats([2, 2, 3, 4]), floats([2, 3, 2]), floats([2, 3, 2])],
    attributes: { interleaved: 1 },
    differentiable: [0, 1, 2],
  },
  {
    id: 'attention/RotaryEmbedding/partial',
    op: 'RotaryEmbedding',
    inputs: [floats([2, 2, 3, 6]), floats([5, 2]), floats([5, 2]), places],
    attributes: { rotary_embedding_dim: 4 },
    differentiable: [0],
  },
  {
    id: 'attention/RotaryEmbedding/partial, interleaved',
    op: 'RotaryEmbedding',
    inputs: [floats([2, 3, 12]), floats([5, 2]), floats([5, 2]), places],
    attributes: { rotary_embedding_dim: 4, interleaved: 1, num_heads: 2 },
    differentiable: [0],
  },
];

const positions: readonly OpCase[] = [
  { id: 'attention/Positions/of a sequence', op: 'Positions', inputs: [floats([2, 5, 3])], attributes: { axis: 1 } },
  { id: 'attention/Positions/of ids', op: 'Positions', inputs: [random('int64', [2, 4])], attributes: { axis: -1 } },
];

/** Attention and positions. */
export const attentionCases: readonly OpCase[] = [...attention, ...rotary, ...positions];
