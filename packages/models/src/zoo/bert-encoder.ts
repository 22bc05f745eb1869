import type { InitializerLike } from '../initializers/initializer.js';
import { truncatedNormal } from '../initializers/standard.js';
import { activation } from '../layers/activation-layers.js';
import { dotProductAttention } from '../layers/attention/dot-product-attention.js';
import { positionEmbedding } from '../layers/attention/position-embedding.js';
import { lambda } from '../layers/custom.js';
import { dense } from '../layers/dense.js';
import { embedding } from '../layers/embedding.js';
import { attachMask } from '../layers/masking.js';
import { add } from '../layers/merging.js';
import { dropout } from '../layers/noise.js';
import { layerNormalization } from '../layers/normalization.js';
import { input, model } from '../model/functional.js';
import type { LayeredModel } from '../model/layered-model.js';
import type { SymbolicTensor } from '../symbolic-tensor.js';
import { requireDivisible } from './gpt.js';
import type { ZooOptions } from './zoo-options.js';

export interface BertEncoderOptions extends ZooOptions {
  /** Number of different tokens. Default 30 522. */
  readonly vocabularySize?: number;
  /** Longest sequence. Default 512. */
  readonly sequenceLength?: number;
  /** Kinds of segments; 0 for a model without that input. Default 2. */
  readonly segments?: number;
  /** Number of blocks. Default 12. */
  readonly layers?: number;
  /** Heads of attention in each. Default 12. */
  readonly heads?: number;
  /** Default 768. */
  readonly width?: number;
  /** Width inside the feed-forward parts. Default four times the width. */
  readonly intermediate?: number;
  /** Token 0 is padding, which nobody attends to. Default true. */
  readonly maskZero?: boolean;
  /** A second output made of the first token's vector. Default true. */
  readonly pooler?: boolean;
  /** Share of what training drops of embeddings, attention weights and each part's output. Default 0. */
  readonly dropout?: number;
  /** Default 1e-12. */
  readonly epsilon?: number;
  /** Standard deviation of initial weights. Default 0.02. */
  readonly initializerRange?: number;
}

/**
 * BERT's encoder: transformer blocks that see the whole sequence, with normalization behind each part.
 *
 * Inputs int32 `tokens` and `segments` `[batch, steps]`; outputs `sequence` `[batch, steps, width]` and `pooled` `[batch,
 * width]`. Without options it is BERT base, uncased, of 109 482 240 weights; their names are those of the published ones
 * (`encoder.layer.0.attention.self.query.kernel`).
 *
 * @throws {@link ModelwrightError} `invalid-argument` when the heads do not divide the width.
 * @see Devlin et al., arXiv:1810.04805.
 * @example
 * const encoder = bertEncoder({ vocabularySize: 8000, layers: 2, heads: 2, width: 128, sequenceLength: 64 });
 */
export function bertEncoder(options: BertEncoderOptions = {}): LayeredModel {
  const { vocabularySize = 30_522, sequenceLength = 512, segments = 2, layers = 12, heads = 12, width = 768 } = options;
  const { name = 'bertEncoder', seed = 0, epsilon = 1e-12, dropout: rate = 0, initializerRange = 0.02 } = options;
  requireDivisible(width, heads);
  const normal = truncatedNormal({ stddev: initializerRange });
  const block: Block = { ...options, heads, width, epsilon, rate, normal };
  const tokens = input({ name: 'tokens', shape: [null], dtype: 'int32' });
  const kinds = input({ name: 'segments', shape: [null], dtype: 'int32' });
  const table = (part: string, inputDim: number, maskZero = false) =>
    embedding({ name: `embeddings.${part}`, inputDim, outputDim: width, embeddingsInitializer: normal, maskZero });
  const words = table('word_embeddings', vocabularySize, options.maskZero ?? true)(tokens);
  const places = positionEmbedding({ name: 'embeddings.position_embeddings', sequenceLength, initializer: normal });
  const parts = segments === 0 ? [] : [table('token_type_embeddings', segments)(kinds)];
  const sum = add({ name: 'embeddings.sum' })([words, places(words), ...parts]);
  const masked = words.mask === undefined ? sum : attachMask({ name: 'embeddings.mask' })(sum, words.mask);
  let x = dropped(normalized(masked, 'embeddings.LayerNorm', epsilon), 'embeddings.dropout', rate);
  for (let index = 0; index < layers; index++) x = encoderBlock(x, `encoder.layer.${index}`, block);
  const inputs = segments === 0 ? [tokens] : [tokens, kinds];
  if (options.pooler === false) return model({ name, seed, inputs, outputs: { sequence: x } });
  const first = lambda((builder, value) => builder.op('Gather', [value, builder.scalar(0, 'int64')], { axis: 1 }), {
    name: 'pooler.first',
  })(x);
  const pooled = dense({ name: 'pooler.dense', units: width, activation: 'tanh', kernelInitializer: normal })(first);
  return model({ name, seed, inputs, outputs: { sequence: x, pooled } });
}

interface Block extends BertEncoderOptions {
  readonly heads: number;
  readonly width: number;
  readonly epsilon: number;
  readonly rate: number;
  readonly normal: InitializerLike;
}

/** `norm(x + attention(x))`, then `norm(x + feedForward(x))`. */
function encoderBlock(x: SymbolicTensor, path: string, options: Block): SymbolicTensor {
  const { heads, width, epsilon, rate, normal, intermediate = 4 * width } = options;
  const projection = (name: string, units: number) =>
    dense({ name: `${path}.${name}`, units, kernelInitializer: normal });
  const [query, key, value] = ['query', 'key', 'value'].map((part) => projection(`attention.self.${part}`, width)(x));
  const attention = dotProductAttention({ name: `${path}.attention.self`, numHeads: heads, dropout: rate });
  const mixed = projection(
    'attention.output.dense',
    width,
  )(attention([query, value, key] as readonly SymbolicTensor[]));
  const sum = add({ name: `${path}.attention.output.sum` })(
    dropped(mixed, `${path}.attention.output.dropout`, rate),
    x,
  );
  const attended = normalized(sum, `${path}.attention.output.LayerNorm`, epsilon);
  const wide = activation('gelu', { name: `${path}.intermediate.act` })(
    projection('intermediate.dense', intermediate)(attended),
  );
  const fed = dropped(projection('output.dense', width)(wide), `${path}.output.dropout`, rate);
  return normalized(add({ name: `${path}.output.sum` })(fed, attended), `${path}.output.LayerNorm`, epsilon);
}

function normalized(x: SymbolicTensor, name: string, epsilon: number): SymbolicTensor {
  return layerNormalization({ name, epsilon })(x);
}

function dropped(x: SymbolicTensor, name: string, rate: number): SymbolicTensor {
  return rate === 0 ? x : dropout({ name, rate })(x);
}
