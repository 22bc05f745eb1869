import { ownName } from './hugging-face-names.js';
import type { WeightMap } from './load-weights.js';

const prefix = 'bert.';

/**
 * Names of BERT in Hugging Face's files, for {@link bertEncoder}. Files come with and without the prefix `bert.`; heads for
 * pretraining (`cls.…`) are left over. Old files call scale and shift of normalizations `gamma` and `beta`, as we do.
 *
 * @see https://huggingface.co/google-bert/bert-base-uncased
 */
export const bertWeights: WeightMap = {
  name: 'Hugging Face BERT',
  sourceOf(parameter) {
    const names = new Set([ownName(parameter), parameter]);
    return {
      names: [...names].flatMap((name) => [`${prefix}${name}`, name]),
      // `Linear` layers keep `[out, in]`; embeddings are no such layers.
      transposed: parameter.endsWith('.kernel'),
    };
  },
  isBuffer: (name) => name.endsWith('embeddings.position_ids') || name.endsWith('embeddings.token_type_ids'),
};
