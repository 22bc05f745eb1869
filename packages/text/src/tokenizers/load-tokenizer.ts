import { isModelwrightError, ModelwrightError } from '@modelwright/core';
import { bytePairTokenizer } from '../byte-pair/byte-pair-tokenizer.js';
import { fromTokenizerFile } from '../byte-pair/tokenizer-file.js';
import { characterTokenizer } from './character-tokenizer.js';
import { type HuggingFaceOptions, loadHuggingFaceTokenizer } from './hugging-face.js';
import type { Tokenizer, TokenizerJson } from './tokenizer.js';
import { type WordTokenizerOptions, wordTokenizer } from './word-tokenizer.js';

/**
 * A tokenizer from what its `toJSON` gave, or from a Hugging Face `tokenizer.json`. Byte-level byte-pair encoding as GPT-2
 * has it is read here; any other kind needs the package `@huggingface/tokenizers`.
 *
 * @param json - The parsed file.
 * @throws {@link ModelwrightError} `invalid-data` when it is not a tokenizer, `unsupported-version` without the package
 *   that its kind needs.
 * @example
 * const tokenizer = await loadTokenizer(JSON.parse(await readFile('tokenizer.json', 'utf8')));
 */
export async function loadTokenizer(json: TokenizerJson, options: HuggingFaceOptions = {}): Promise<Tokenizer> {
  try {
    return await fromJson(json, options);
  } catch (cause) {
    if (isModelwrightError(cause)) throw cause;
    throw new ModelwrightError('invalid-data', `the tokenizer cannot be read: ${String(cause)}`, { cause });
  }
}

async function fromJson(json: TokenizerJson, options: HuggingFaceOptions): Promise<Tokenizer> {
  const { type, ...rest } = json;
  if (type === 'character') return characterTokenizer(rest as never);
  if (type === 'word') return wordTokenizer(withPattern(rest));
  if (typeof json['model'] !== 'object' || json['model'] === null) {
    throw new ModelwrightError(
      'invalid-data',
      "not a tokenizer: neither 'type' is 'character' or 'word', nor is there a 'model' as tokenizer.json has it",
      { given: Object.keys(json) },
    );
  }
  const parts = fromTokenizerFile(json);
  if (parts === undefined) return loadHuggingFaceTokenizer(json, options);
  return bytePairTokenizer({ vocabulary: parts.tokens, merges: parts.merges, ...parts.special });
}

function withPattern({ split, ...json }: TokenizerJson): WordTokenizerOptions {
  if (typeof split !== 'object' || split === null) return { ...json, split } as never;
  const { pattern, flags } = split as { readonly pattern: string; readonly flags: string };
  return { ...json, split: new RegExp(pattern, flags) } as never;
}
