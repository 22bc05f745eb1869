import { isModelwrightError } from '@modelwright/core';
import { expect, test } from 'vitest';
import { bertEncoder } from '../zoo/bert-encoder.js';
import { gpt } from '../zoo/gpt.js';
import { bertOptions, gpt2Options } from './hugging-face-options.js';

/** What the published files say of size, without what generation and tasks need. */
const gpt2 = {
  ...{ activation_function: 'gelu_new', layer_norm_epsilon: 1e-5, model_type: 'gpt2' },
  ...{ n_ctx: 1024, n_embd: 768, n_head: 12, n_layer: 12, n_positions: 1024, vocab_size: 50_257 },
};
const bert = {
  ...{ hidden_act: 'gelu', hidden_size: 768, intermediate_size: 3072, layer_norm_eps: 1e-12, pad_token_id: 0 },
  ...{ max_position_embeddings: 512, num_attention_heads: 12, num_hidden_layers: 12, model_type: 'bert' },
  ...{ type_vocab_size: 2, vocab_size: 30_522 },
};

test('the published sizes are the defaults of the zoo', () => {
  expect(gpt(gpt2Options(gpt2)).parameterCount).toBe(124_439_808);
  expect(bertEncoder(bertOptions(bert)).parameterCount).toBe(109_482_240);
});

test.each([
  [() => gpt2Options({ ...gpt2, n_head: undefined }), 'invalid-data', "no number 'n_head'"],
  [() => gpt2Options({ ...gpt2, activation_function: 'relu' }), 'invalid-configuration', 'supported: "gelu_new"'],
  [
    () => bertOptions({ ...bert, position_embedding_type: 'relative_key' }),
    'invalid-configuration',
    'supported: "absolute"',
  ],
])('refuses what it cannot compute (%#)', (read, code, message) => {
  expect(read).toThrow(message);
  try {
    read();
  } catch (error) {
    expect(isModelwrightError(error) && error.code).toBe(code);
  }
});
