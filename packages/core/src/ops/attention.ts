import { attentionGradient, decomposeAttention } from './attention-graph.js';
import { evaluateAttention } from './attention-kernel.js';
import { inferAttention } from './attention-layout.js';
import type { OpFamily } from './definition.js';
import { positions } from './positions.js';
import { rotaryEmbedding } from './rotary-embedding.js';
import { between } from './rules.js';

/** Attributes of the ops that mix positions of a sequence or tell them apart, by op. */
export interface AttentionAttributes {
  Attention: {
    /** Query `i` sees key `j` only if `j ≤ i + offset`, where `offset` keys came before the first query. */
    is_causal: number;
    /** Heads of inputs `[batch, time, heads·size]`. */
    q_num_heads?: number;
    kv_num_heads?: number;
    /** Default `1/√headSize`. */
    scale?: number;
    /** `softcap·tanh(score/softcap)`; 0 leaves scores as they are. */
    softcap: number;
    /** ONNX data type number of the softmax. */
    softmax_precision?: number;
    /** What the fourth output is: scores (0), those after the softcap (1), with masks (2), or their softmax (3). */
    qk_matmul_output_mode: number;
    /** How far back a query sees; −1 for any distance. */
    left_window_size: number;
    /** How far ahead a query sees; −1 for any distance. */
    right_window_size: number;
  };
  RotaryEmbedding: {
    /** Pairs are neighbours instead of halves. */
    interleaved: number;
    /** Heads of an input `[batch, time, heads·size]`. */
    num_heads?: number;
    /** How many features of each head turn; 0 for all. */
    rotary_embedding_dim: number;
  };
  /** Own domain: `x` → `0, 1, …, T − 1` along `axis` of x. */
  Positions: { axis: number };
}

/** Attention and positions. */
export const attention: OpFamily<AttentionAttributes> = {
  /**
   * `(query, key, value, mask?, pastKey?, pastValue?, validKeys?)` → `(y, presentKey?, presentValue?, scores?)`:
   * `y = softmax(scale·q·kᵀ + mask)·v` per head. A query that sees no key gives zeros.
   *
   * @see Vaswani et al., arXiv:1706.03762, §3.2; Ainslie et al., arXiv:2305.13245 (grouped heads).
   */
  Attention: {
    inputs: between(3, 7),
    outputs: between(1, 4),
    attributes: {
      is_causal: { kind: 'int', default: 0 },
      q_num_heads: { kind: 'int' },
      kv_num_heads: { kind: 'int' },
      scale: { kind: 'float' },
      softcap: { kind: 'float', default: 0 },
      softmax_precision: { kind: 'int' },
      qk_matmul_output_mode: { kind: 'int', default: 0 },
      left_window_size: { kind: 'int', default: -1 },
      right_window_size: { kind: 'int', default: -1 },
    },
    infer: inferAttention,
    gradient: attentionGradient,
    evaluate: evaluateAttention,
    decompose: decomposeAttention,
  },
  RotaryEmbedding: rotaryEmbedding,
  Positions: positions,
};
