import type { TokenizerJson } from '../tokenizers/tokenizer.js';
import { type SpecialTokens, specialTokensOf } from '../tokenizers/vocabulary.js';

/** What a byte-level byte-pair tokenizer consists of. */
export interface BytePairParts {
  readonly tokens: readonly string[];
  readonly merges: readonly (readonly [left: string, right: string])[];
  readonly special: SpecialTokens;
}

const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };

/** The parts as the contents of a Hugging Face `tokenizer.json`. */
export function toTokenizerFile({ tokens, merges, special }: BytePairParts): TokenizerJson {
  return {
    version: '1.0',
    truncation: null,
    padding: special.padToken === undefined ? null : paddingOf(special.padToken, tokens.indexOf(special.padToken)),
    added_tokens: specialTokensOf(special).map((content) => ({
      id: tokens.indexOf(content),
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: byteLevel,
    decoder: byteLevel,
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges,
    },
  };
}

function paddingOf(token: string, id: number): TokenizerJson {
  return {
    strategy: 'BatchLongest',
    direction: 'Right',
    pad_to_multiple_of: null,
    pad_id: id,
    pad_type_id: 0,
    pad_token: token,
  };
}

interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special?: boolean;
  readonly single_word?: boolean;
  readonly lstrip?: boolean;
  readonly rstrip?: boolean;
}

interface BytePairFile {
  readonly normalizer?: unknown;
  readonly pre_tokenizer?: {
    readonly type?: unknown;
    readonly add_prefix_space?: unknown;
    readonly use_regex?: unknown;
  };
  readonly post_processor?: { readonly type?: unknown } | null;
  readonly decoder?: { readonly type?: unknown } | null;
  readonly padding?: { readonly pad_token?: string } | null;
  readonly added_tokens?: readonly AddedToken[];
  readonly model: {
    readonly type?: unknown;
    readonly [option: string]: unknown;
    readonly vocab: { readonly [token: string]: number };
    readonly merges: readonly (string | readonly [string, string])[];
  };
}

/**
 * The parts of a `tokenizer.json`, if it holds the kind of tokenizer that {@link toTokenizerFile} writes (GPT-2's is one);
 * undefined when it asks for anything else.
 */
export function fromTokenizerFile(json: TokenizerJson): BytePairParts | undefined {
  const file = json as unknown as BytePairFile;
  if (!isByteLevel(file)) return undefined;
  const added = file.added_tokens ?? [];
  if (added.some(({ special, single_word, lstrip, rstrip }) => !special || single_word || lstrip || rstrip)) {
    return undefined;
  }
  const ids = new Map([
    ...Object.entries(file.model.vocab),
    ...added.map(({ content, id }): [string, number] => [content, id]),
  ]);
  const tokens = [...ids].sort(([, a], [, b]) => a - b).map(([token]) => token);
  // Ids with gaps, or shared, are for the library.
  if (tokens.some((token, id) => ids.get(token) !== id)) return undefined;
  const padToken = file.padding?.pad_token;
  const specialTokens = added.map(({ content }) => content).filter((content) => content !== padToken);
  return {
    tokens,
    merges: file.model.merges.map((merge) => (typeof merge === 'string' ? splitMerge(merge) : merge)),
    special: { ...(padToken === undefined ? {} : { padToken }), specialTokens },
  };
}

function isByteLevel({ normalizer, pre_tokenizer, post_processor, decoder, model }: BytePairFile): boolean {
  const plain = ['dropout', 'unk_token', 'continuing_subword_prefix', 'end_of_word_suffix', 'byte_fallback'];
  return (
    model.type === 'BPE' &&
    [...plain, 'ignore_merges'].every((option) => !model[option]) &&
    !normalizer &&
    pre_tokenizer?.type === 'ByteLevel' &&
    pre_tokenizer.add_prefix_space !== true &&
    pre_tokenizer.use_regex !== false &&
    (!post_processor || post_processor.type === 'ByteLevel') &&
    decoder?.type === 'ByteLevel'
  );
}

function splitMerge(merge: string): readonly [string, string] {
  const space = merge.indexOf(' ');
  return [merge.slice(0, space), merge.slice(space + 1)];
}
