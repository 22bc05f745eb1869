import type { ActivationLike } from '../activations.js';
import { randomNormal } from '../initializers/standard.js';
import { sinePositionEncoding } from '../layers/attention/position-embedding.js';
import { type ReversibleEmbedding, reversibleEmbedding } from '../layers/attention/reversible-embedding.js';
import { transformerDecoder, transformerEncoder } from '../layers/attention/transformer-block.js';
import { add } from '../layers/merging.js';
import { dropout } from '../layers/noise.js';
import { layerNormalization } from '../layers/normalization.js';
import { rescaling } from '../layers/preprocessing.js';
import { input, model } from '../model/functional.js';
import type { LayeredModel } from '../model/layered-model.js';
import type { SymbolicTensor } from '../symbolic-tensor.js';
import { requireDivisible } from './gpt.js';
import type { ZooOptions } from './zoo-options.js';

export interface TransformerOptions extends ZooOptions {
  /** Number of different tokens, of both languages where they share it. Default 37 000. */
  readonly vocabularySize?: number;
  /** Number of different tokens of the target, with an embedding of its own. Default shared. */
  readonly targetVocabularySize?: number;
  /** Number of blocks of the encoder, and of the decoder. Default 6. */
  readonly layers?: number;
  /** Heads of attention in each. Default 8. */
  readonly heads?: number;
  /** Default 512. */
  readonly width?: number;
  /** Width inside the feed-forward parts. Default four times the width. */
  readonly intermediate?: number;
  /** Of the feed-forward parts. Default relu. */
  readonly activation?: ActivationLike;
  /** Normalize what goes into each part, and the stacks' outputs, instead of each sum. Default false. */
  readonly normalizeFirst?: boolean;
  /** Token 0 is padding, which nobody attends to. Default true. */
  readonly maskZero?: boolean;
  /** Share of what training drops of embeddings, attention weights and each part's output. Default 0.1. */
  readonly dropout?: number;
  /** Default 1e-5. */
  readonly epsilon?: number;
}

/**
 * The transformer: an encoder that reads a sequence, and a decoder that writes another while it attends to the first.
 *
 * Inputs int32 `source` `[batch, steps]` and `target` `[batch, steps′]` (what was written so far), output logits of the next
 * tokens `[batch, steps′, vocabulary]`. Without options it is the paper's base model; one matrix embeds both sequences and gives
 * the logits.
 *
 * @throws {@link ModelwrightError} `invalid-argument` when the heads do not divide the width.
 * @see Vaswani et al., arXiv:1706.03762.
 * @example
 * const translator = transformer({ vocabularySize: 8000, layers: 2, heads: 4, width: 128 });
 */
export function transformer(options: TransformerOptions = {}): LayeredModel {
  const { vocabularySize = 37_000, targetVocabularySize, layers = 6, heads = 8, width = 512 } = options;
  const { name = 'transformer', seed = 0, dropout: rate = 0.1, epsilon = 1e-5, normalizeFirst = false } = options;
  requireDivisible(width, heads);
  const table = (label: string, inputDim: number): ReversibleEmbedding =>
    reversibleEmbedding({
      name: label,
      inputDim,
      outputDim: width,
      maskZero: options.maskZero ?? true,
      embeddingsInitializer: randomNormal({ stddev: width ** -0.5 }),
    });
  const shared = table('embedding', vocabularySize);
  const ofTarget = targetVocabularySize === undefined ? shared : table('targetEmbedding', targetVocabularySize);
  const block = {
    numHeads: heads,
    intermediateDim: options.intermediate ?? 4 * width,
    activation: options.activation ?? 'relu',
    layerNormEpsilon: epsilon,
    dropout: rate,
    normalizeFirst,
  } as const;
  const finished = (x: SymbolicTensor, label: string): SymbolicTensor =>
    normalizeFirst ? layerNormalization({ name: label, epsilon })(x) : x;
  const source = input({ name: 'source', shape: [null], dtype: 'int32' });
  const target = input({ name: 'target', shape: [null], dtype: 'int32' });
  let memory = embedded(source, { table: shared, label: 'source', width, rate });
  for (let index = 0; index < layers; index++)
    memory = transformerEncoder({ ...block, name: `encoder.${index}` })(memory);
  memory = finished(memory, 'encoder.norm');
  let x = embedded(target, { table: ofTarget, label: 'target', width, rate });
  for (let index = 0; index < layers; index++)
    x = transformerDecoder({ ...block, name: `decoder.${index}` })(x, memory);
  const logits = ofTarget.reverse(finished(x, 'decoder.norm'));
  return model({ name, seed, inputs: [source, target], outputs: { logits } });
}

interface Embedded {
  readonly table: ReversibleEmbedding;
  readonly label: string;
  readonly width: number;
  readonly rate: number;
}

/** Vectors of tokens times `√width`, and sines of their positions. */
function embedded(tokens: SymbolicTensor, { table, label, width, rate }: Embedded): SymbolicTensor {
  const scaled = rescaling({ name: `${label}.scaled`, scale: Math.sqrt(width) })(table(tokens));
  const places = sinePositionEncoding({ name: `${label}.positions` })(scaled);
  const sum = add({ name: `${label}.embedded` })(scaled, places);
  return rate === 0 ? sum : dropout({ name: `${label}.dropout`, rate })(sum);
}
