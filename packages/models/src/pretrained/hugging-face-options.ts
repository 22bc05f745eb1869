import { ModelwrightError } from '@modelwright/core';
import type { BertEncoderOptions } from '../zoo/bert-encoder.js';
import type { GptOptions } from '../zoo/gpt.js';

/** Content of a `config.json` of Hugging Face. */
export type HuggingFaceConfig = Readonly<Record<string, unknown>>;

/**
 * The options of {@link gpt} for a GPT-2 of Hugging Face.
 *
 * @param config - Its `config.json`.
 * @throws {@link ModelwrightError} `invalid-data` for a field that is missing or no number; `invalid-configuration` for a
 *   variant whose arithmetic is another.
 * @example
 * const model = gpt(gpt2Options(JSON.parse(await readFile('gpt2/config.json', 'utf8'))));
 */
export function gpt2Options(config: HuggingFaceConfig): GptOptions {
  const fields = new Fields(config);
  fields.require('activation_function', ['gelu_new', 'gelu_pytorch_tanh'], 'gelu_new');
  fields.require('scale_attn_weights', [true], true);
  fields.require('scale_attn_by_inverse_layer_idx', [false], false);
  fields.require('add_cross_attention', [false], false);
  const width = fields.number('n_embd');
  return {
    vocabularySize: fields.number('vocab_size'),
    sequenceLength: fields.number('n_positions'),
    layers: fields.number('n_layer'),
    heads: fields.number('n_head'),
    width,
    intermediate: fields.number('n_inner', 4 * width),
    epsilon: fields.number('layer_norm_epsilon', 1e-5),
    tieWeights: config['tie_word_embeddings'] !== false,
  };
}

/**
 * The options of {@link bertEncoder} for a BERT of Hugging Face.
 *
 * @param config - Its `config.json`.
 * @throws {@link ModelwrightError} as {@link gpt2Options}.
 */
export function bertOptions(config: HuggingFaceConfig): BertEncoderOptions {
  const fields = new Fields(config);
  fields.require('hidden_act', ['gelu'], 'gelu');
  fields.require('position_embedding_type', ['absolute'], 'absolute');
  fields.require('pad_token_id', [0], 0);
  fields.require('is_decoder', [false], false);
  return {
    vocabularySize: fields.number('vocab_size'),
    sequenceLength: fields.number('max_position_embeddings'),
    segments: fields.number('type_vocab_size'),
    layers: fields.number('num_hidden_layers'),
    heads: fields.number('num_attention_heads'),
    width: fields.number('hidden_size'),
    intermediate: fields.number('intermediate_size'),
    epsilon: fields.number('layer_norm_eps', 1e-12),
  };
}

class Fields {
  readonly #config: HuggingFaceConfig;

  constructor(config: HuggingFaceConfig) {
    this.#config = config;
  }

  number(name: string, otherwise?: number): number {
    const given = this.#config[name] ?? otherwise;
    if (typeof given === 'number' && Number.isFinite(given)) return given;
    throw new ModelwrightError('invalid-data', `config.json has no number '${name}'`, { given });
  }

  require(name: string, allowed: readonly unknown[], otherwise: unknown): void {
    const given = this.#config[name] ?? otherwise;
    if (allowed.includes(given)) return;
    throw new ModelwrightError(
      'invalid-configuration',
      `config.json has '${name}': ${JSON.stringify(given)}; supported: ${allowed.map((one) => JSON.stringify(one)).join(', ')}`,
      { given, allowed },
    );
  }
}
