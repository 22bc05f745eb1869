import { ModelwrightError } from '@modelwright/core';
import { additiveAttention, attention } from '../layers/attention/attention.js';
import { dense } from '../layers/dense.js';
import { embedding } from '../layers/embedding.js';
import { concatenate } from '../layers/merging.js';
import { dropout } from '../layers/noise.js';
import { bidirectional } from '../layers/recurrent/bidirectional.js';
import { gru } from '../layers/recurrent/gru.js';
import { lstm } from '../layers/recurrent/lstm.js';
import type { RecurrentLayer } from '../layers/recurrent/recurrent-layer.js';
import { input, model } from '../model/functional.js';
import type { LayeredModel } from '../model/layered-model.js';
import type { SymbolicTensor } from '../symbolic-tensor.js';
import type { ZooOptions } from './zoo-options.js';

export interface Seq2seqOptions extends ZooOptions {
  /** Number of different tokens that are read. */
  readonly sourceVocabularySize: number;
  /** Number of different tokens that are written. */
  readonly targetVocabularySize: number;
  /** Length of the vectors of tokens. Default 256. */
  readonly embeddingSize?: number;
  /** Size of the decoder's state; each direction of the encoder has half of it. Default 512. */
  readonly units?: number;
  /** Recurrent layers of the encoder, and of the decoder. Default 1. */
  readonly layers?: number;
  /** Default lstm. */
  readonly cell?: 'lstm' | 'gru';
  /**
   * How well a step of the source fits: `dot` `h·s`, `general` `h·W·s`, `additive` `v·tanh(W·h + s)`, or `none` for a decoder that
   * has the encoder's last state alone. Default `general`.
   */
  readonly attention?: 'dot' | 'general' | 'additive' | 'none';
  /** Share of what training drops of embeddings and between layers. Default 0.2. */
  readonly dropout?: number;
  /** Token 0 is padding, which is neither read nor attended to. Default true. */
  readonly maskZero?: boolean;
}

/**
 * Sequence to sequence with attention: a bidirectional encoder reads one sequence, a decoder that begins with its last state
 * writes another, and at each step looks at all that was read.
 *
 * Inputs int32 `source` `[batch, steps]` and `target` `[batch, steps′]` (what was written so far: the reference, one token later,
 * while training), output logits of the next tokens `[batch, steps′, targetVocabularySize]`.
 *
 * @throws {@link ModelwrightError} `invalid-argument` for an odd number of units.
 * @see Sutskever, Vinyals and Le, arXiv:1409.3215; Bahdanau, Cho and Bengio, arXiv:1409.0473; Luong, Pham and Manning,
 *   arXiv:1508.04025, whose global attention this is.
 * @example
 * const translator = seq2seq({ sourceVocabularySize: 8000, targetVocabularySize: 8000, units: 256 });
 * const loss = sparseCategoricalCrossentropy({ fromLogits: true }); // padding of the target does not count
 */
export function seq2seq(options: Seq2seqOptions): LayeredModel {
  const { name = 'seq2seq', seed = 0, units = 512, layers = 1, targetVocabularySize } = options;
  if (units % 2 !== 0) {
    throw new ModelwrightError('invalid-argument', `seq2seq: units is ${units}; an even number is expected`, {
      given: units,
    });
  }
  const [source, target] = ['source', 'target'].map((each) => input({ shape: [null], name: each, dtype: 'int32' })) as [
    SymbolicTensor,
    SymbolicTensor,
  ];
  let read = vectorsOf(source, 'source', options.sourceVocabularySize, options);
  let written = vectorsOf(target, 'target', targetVocabularySize, options);
  for (let index = 0; index < layers; index++) {
    const { sequence, states } = encoderLayer(index === 0 ? read : dropped(read, options), index, options);
    read = sequence;
    const below = index === 0 ? written : dropped(written, options);
    written = recurrent(options, { units, name: `decoder.${index}` })(below, ...states);
  }
  const seen = attended(written, read, options);
  const logits = dense({ units: targetVocabularySize, name: 'logits' })(dropped(seen, options));
  return model({ name, seed, inputs: [source, target], outputs: { logits } });
}

function vectorsOf(tokens: SymbolicTensor, label: string, inputDim: number, options: Seq2seqOptions): SymbolicTensor {
  const { embeddingSize = 256, maskZero = true } = options;
  const vectors = embedding({ inputDim, outputDim: embeddingSize, maskZero, name: `${label}.embedding` })(tokens);
  return dropped(vectors, options);
}

function dropped(x: SymbolicTensor, { dropout: rate = 0.2 }: Seq2seqOptions): SymbolicTensor {
  return rate === 0 ? x : dropout({ rate })(x);
}

/** Both directions side by side, and their last states, likewise. */
function encoderLayer(
  x: SymbolicTensor,
  index: number,
  options: Seq2seqOptions,
): { readonly sequence: SymbolicTensor; readonly states: readonly SymbolicTensor[] } {
  const { units = 512 } = options;
  const layer = recurrent(options, { units: units / 2, returnState: true });
  const [sequence, ...states] = bidirectional({ layer, name: `encoder.${index}` }).applyAll(x);
  const count = states.length / 2;
  const joined = states.slice(0, count).map((forward, state) => {
    const name = `encoder.${index}.state${state}`;
    return concatenate({ name })([forward, states[count + state] as SymbolicTensor]);
  });
  return { sequence: sequence as SymbolicTensor, states: joined };
}

function recurrent(
  { cell = 'lstm' }: Seq2seqOptions,
  options: { readonly units: number; readonly returnState?: boolean; readonly name?: string },
): RecurrentLayer {
  return (cell === 'lstm' ? lstm : gru)({ ...options, returnSequences: true });
}

// h̃ = tanh(W · [context; h])
function attended(decoded: SymbolicTensor, encoded: SymbolicTensor, options: Seq2seqOptions): SymbolicTensor {
  const { attention: kind = 'general', units = 512 } = options;
  if (kind === 'none') return decoded;
  const look = kind === 'additive' ? additiveAttention({ name: 'attention' }) : attention({ name: 'attention' });
  const query = kind === 'dot' ? decoded : dense({ units, useBias: false, name: 'attention.query' })(decoded);
  const context = look(query, encoded);
  const both = concatenate({ name: 'attention.both' })([context, decoded]);
  return dense({ units, activation: 'tanh', useBias: false, name: 'attention.output' })(both);
}
