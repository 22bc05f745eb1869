import { castTensor, ModelwrightError, type Tensor, type TensorMap, type Value } from '@modelwright/core';
import { encodeBatch, type Tokenizer } from '@modelwright/text';
import type { TextInput } from './processing.js';

/** What reading texts knows of the model. */
export interface TextTarget {
  readonly spec: TextInput;
  readonly tokenizer: Tokenizer;
  readonly inputs: readonly Value[];
}

/** Of a text that would take long to cut into tokens: a model reads far less. */
const maxCharacters = 2 ** 20;

/**
 * Texts as rows of token ids, and the mask of those ids where the model takes one.
 *
 * @throws {@link ModelwrightError} `limit-exceeded` for a text of more than a million characters.
 */
export function readTexts(texts: readonly string[], input: Value, { spec, tokenizer, inputs }: TextTarget): TensorMap {
  for (const text of texts) {
    if (text.length <= maxCharacters) continue;
    const details = { input: input.name, given: text.length, allowed: maxCharacters };
    throw new ModelwrightError('limit-exceeded', `a text of ${text.length} characters is too long`, details);
  }
  const declared = input.shape.at(-1);
  const length = spec.padTo ?? (typeof declared === 'number' ? declared : undefined);
  const { startToken, endToken, padding, truncating, maxLength } = spec;
  const { ids, mask } = encodeBatch(tokenizer, texts, {
    ...(length === undefined ? {} : { length }),
    ...(maxLength === undefined ? {} : { maxLength }),
    ...(startToken === undefined ? {} : { startToken }),
    ...(endToken === undefined ? {} : { endToken }),
    ...(padding === undefined ? {} : { padding }),
    ...(truncating === undefined ? {} : { truncating }),
  });
  const read: Record<string, Tensor> = { [input.name]: castTensor(ids, input.dtype) };
  const masked = inputs.find(({ name }) => name === spec.mask);
  if (masked !== undefined) read[masked.name] = castTensor(mask, masked.dtype);
  return read;
}
