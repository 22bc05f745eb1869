import { installCommands, ModelwrightError } from '@modelwright/core';
import type { Tokenizer, TokenizerJson } from './tokenizer.js';

/** Options for tokenizers that `@huggingface/tokenizers` runs. */
export interface HuggingFaceOptions {
  /** The parsed `tokenizer_config.json` that belongs to it, if there is one. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Has `encode` add what the file puts around texts, as `[CLS] … [SEP]`. Default true. */
  readonly addSpecialTokens?: boolean;
}

/**
 * Runs a Hugging Face `tokenizer.json` of any kind (WordPiece, Unigram, byte-pair encoding with any normalizer) by the
 * package `@huggingface/tokenizers`.
 *
 * @throws {@link ModelwrightError} `unsupported-version` when the package is not installed.
 */
export async function loadHuggingFaceTokenizer(
  json: TokenizerJson,
  { config = {}, addSpecialTokens = true }: HuggingFaceOptions = {},
): Promise<Tokenizer> {
  const { Tokenizer: HuggingFaceTokenizer } = await importLibrary();
  const tokenizer = new HuggingFaceTokenizer(json, config);
  const vocabulary = tokenizer.get_vocab(true);
  const idNamed = (name: unknown): number | undefined =>
    typeof name === 'string' ? tokenizer.token_to_id(name) : undefined;
  const padId = idNamed(padTokenOf(json, config));
  const unknownId = idNamed(unknownTokenOf(json));
  return {
    vocabularySize: 1 + [...vocabulary.values()].reduce((largest, id) => Math.max(largest, id), -1),
    ...(padId === undefined ? {} : { padId }),
    ...(unknownId === undefined ? {} : { unknownId }),
    encode: (text) => tokenizer.encode(text, { add_special_tokens: addSpecialTokens }).ids,
    decode: (ids) => tokenizer.decode([...ids], { skip_special_tokens: true }),
    tokenOf: (id) => tokenizer.id_to_token(id),
    idOf: (token) => tokenizer.token_to_id(token),
    toJSON: () => json,
  };
}

async function importLibrary(): Promise<typeof import('@huggingface/tokenizers')> {
  try {
    return await import('@huggingface/tokenizers');
  } catch (cause) {
    const hint = installCommands('@huggingface/tokenizers');
    throw new ModelwrightError('unsupported-version', `this tokenizer.json needs a package that is missing: ${hint}`, {
      hint,
      cause,
    });
  }
}

function padTokenOf(json: TokenizerJson, config: Readonly<Record<string, unknown>>): unknown {
  const padding = json['padding'] as { readonly pad_token?: unknown } | null | undefined;
  const configured = config['pad_token'];
  // A configuration writes tokens plain or as objects.
  const plain =
    typeof configured === 'object' && configured !== null
      ? (configured as { readonly content?: unknown }).content
      : configured;
  return padding?.pad_token ?? plain ?? '[PAD]';
}

function unknownTokenOf(json: TokenizerJson): unknown {
  const model = json['model'] as {
    readonly unk_token?: unknown;
    readonly unk_id?: number | null;
    readonly vocab?: unknown;
  };
  if (model.unk_token) return model.unk_token;
  // Unigram lists [token, score] pairs and names the unknown one by its place.
  const listed = Array.isArray(model.vocab) ? model.vocab[model.unk_id ?? -1] : undefined;
  return Array.isArray(listed) ? listed[0] : undefined;
}
