import { ending, ownName } from './hugging-face-names.js';
import type { WeightMap } from './load-weights.js';

const prefix = 'transformer.';

/**
 * Names of GPT-2 in Hugging Face's files, for {@link gpt}. Kernels lie as ours do (`Conv1D`); files come with and without the
 * prefix `transformer.`.
 *
 * @see https://huggingface.co/openai-community/gpt2
 */
export const gpt2Weights: WeightMap = {
  name: 'Hugging Face GPT-2',
  sourceOf(parameter) {
    // A head of its own is a `Linear` layer, which keeps its matrix the other way round.
    if (parameter === 'wte.reverseEmbeddings') return { names: ['lm_head.weight'], transposed: true };
    const name = ownName(parameter);
    return { names: [`${prefix}${name}`, name, ...(parameter === 'wte.embeddings' ? ['lm_head.weight'] : [])] };
  },
  // The causal mask, and for models with tied weights the same matrix again.
  isBuffer: (name) => /(^|\.)attn\.(masked_)?bias$/.test(name) || ending(name, 'lm_head.weight'),
};
