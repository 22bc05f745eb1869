import { ModelwrightError } from '@modelwright/core';
import type { InitializerLike } from '../initializers/initializer.js';
import { randomNormal } from '../initializers/standard.js';
import { activation } from '../layers/activation-layers.js';
import { dotProductAttention } from '../layers/attention/dot-product-attention.js';
import { positionEmbedding } from '../layers/attention/position-embedding.js';
import { reversibleEmbedding } from '../layers/attention/reversible-embedding.js';
import type { RotaryOptions } from '../layers/attention/rotate.js';
import { dense } from '../layers/dense.js';
import { add } from '../layers/merging.js';
import { dropout } from '../layers/noise.js';
import { layerNormalization } from '../layers/normalization.js';
import { input, model } from '../model/functional.js';
import type { LayeredModel } from '../model/layered-model.js';
import type { SymbolicTensor } from '../symbolic-tensor.js';
import type { ZooOptions } from './zoo-options.js';

export interface GptOptions extends ZooOptions {
  /** Number of different tokens. Default 50 257. */
  readonly vocabularySize?: number;
  /** Longest sequence. Default 1024. */
  readonly sequenceLength?: number;
  /** Number of blocks. Default 12. */
  readonly layers?: number;
  /** Heads of attention in each. Default 12. */
  readonly heads?: number;
  /** Width of the residual stream. Default 768. */
  readonly width?: number;
  /** Width inside the feed-forward parts. Default four times the width. */
  readonly intermediate?: number;
  /** A vector learned for each position, or rotation of queries and keys. Default learned. */
  readonly positions?: 'learned' | 'rotary';
  /** How rotation goes. */
  readonly rotary?: RotaryOptions;
  /** Share of what training drops of embeddings, attention weights and each part's output. Default 0. */
  readonly dropout?: number;
  /** Use the matrix of the embedding for the logits. Default true. */
  readonly tieWeights?: boolean;
  /** Default 1e-5. */
  readonly epsilon?: number;
  /** Initial weights are normal with this standard deviation; those before a residual sum `√(2·layers)` times smaller. Default 0.02. */
  readonly initializerRange?: number;
}

/**
 * GPT-2: a decoder of transformer blocks with normalization first.
 *
 * Input int32 `[batch, steps]` (named `tokens`), output logits `[batch, steps, vocabularySize]`. Without options it is GPT-2
 * small of 124 439 808 weights; their names are those of the published ones (`h.0.attn.c_attn.kernel`, `wte.embeddings`).
 *
 * @throws {@link ModelwrightError} `invalid-argument` when the heads do not divide the width.
 * @see Radford et al., Language Models are Unsupervised Multitask Learners (2019); Su et al., arXiv:2104.09864 (rotary).
 * @example
 * const characters = gpt({ vocabularySize: 65, sequenceLength: 64, layers: 4, heads: 4, width: 128 });
 */
export function gpt(options: GptOptions = {}): LayeredModel {
  const { vocabularySize = 50_257, sequenceLength = 1024, layers = 12, width = 768, positions = 'learned' } = options;
  const { name = 'gpt', seed = 0, epsilon = 1e-5, dropout: rate = 0, initializerRange = 0.02 } = options;
  requireDivisible(width, options.heads ?? 12);
  const normal = randomNormal({ stddev: initializerRange });
  const tokens = input({ name: 'tokens', shape: [null], dtype: 'int32' });
  const embedding = reversibleEmbedding({
    name: 'wte',
    inputDim: vocabularySize,
    outputDim: width,
    embeddingsInitializer: normal,
    tieWeights: options.tieWeights ?? true,
  });
  let x = embedding(tokens);
  if (positions === 'learned') {
    x = add({ name: 'embedded' })(x, positionEmbedding({ name: 'wpe', sequenceLength, initializer: normal })(x));
  }
  x = dropped(x, 'drop', rate);
  const small = randomNormal({ stddev: initializerRange / Math.sqrt(2 * layers) });
  for (let index = 0; index < layers; index++) {
    x = block(x, { ...options, path: `h.${index}`, width, epsilon, rate, normal, small });
  }
  const last = layerNormalization({ name: 'ln_f', epsilon })(x);
  return model({ name, seed, inputs: tokens, outputs: { logits: embedding.reverse(last) } });
}

interface Block extends GptOptions {
  readonly path: string;
  readonly width: number;
  readonly epsilon: number;
  readonly rate: number;
  readonly normal: InitializerLike;
  /** Of what is added to the residual stream. */
  readonly small: InitializerLike;
}

/** `x + attention(norm(x))`, then `x + feedForward(norm(x))`. */
function block(x: SymbolicTensor, options: Block): SymbolicTensor {
  const { path, width, epsilon, rate, normal, small, intermediate = 4 * width, positions, rotary } = options;
  const projection = (name: string, units: number, kernelInitializer: InitializerLike) =>
    dense({ name: `${path}.${name}`, units, kernelInitializer });
  const attended = dotProductAttention({
    name: `${path}.attn`,
    numHeads: options.heads ?? 12,
    useCausalMask: true,
    dropout: rate,
    ...(positions === 'rotary' ? { rotary: rotary ?? true } : {}),
  });
  const first = layerNormalization({ name: `${path}.ln_1`, epsilon })(x);
  const mixed = projection('attn.c_proj', width, small)(attended(projection('attn.c_attn', 3 * width, normal)(first)));
  const informed = add({ name: `${path}.add_1` })(x, dropped(mixed, `${path}.attn.resid_dropout`, rate));
  const second = layerNormalization({ name: `${path}.ln_2`, epsilon })(informed);
  const wide = activation('geluTanh', { name: `${path}.mlp.act` })(
    projection('mlp.c_fc', intermediate, normal)(second),
  );
  const fed = dropped(projection('mlp.c_proj', width, small)(wide), `${path}.mlp.dropout`, rate);
  return add({ name: `${path}.add_2` })(informed, fed);
}

function dropped(x: SymbolicTensor, name: string, rate: number): SymbolicTensor {
  return rate === 0 ? x : dropout({ name, rate })(x);
}

/** @throws {@link ModelwrightError} `invalid-argument` when the heads do not divide the width. */
export function requireDivisible(width: number, heads: number): void {
  if (Number.isInteger(width / heads) && width > 0) return;
  throw new ModelwrightError('invalid-argument', `a width of ${width} does not divide into ${heads} heads`, {
    given: { width, heads },
  });
}
