import { ModelwrightError } from '@modelwright/core';
import { type Corpus, countInto, frequentTokens, textsOf, type VocabularyLimits } from './corpus.js';
import type { Tokenizer, TokenizerJson } from './tokenizer.js';
import { type SpecialTokens, specialTokensOf, Vocabulary } from './vocabulary.js';

/**
 * What a word is: `words` are runs of letters and digits with apostrophes inside; `wordsAndMarks` has every other visible
 * character as a token of its own; `whitespace` cuts at white space alone; a regular expression matches the words.
 */
export type WordSplit = 'words' | 'wordsAndMarks' | 'whitespace' | RegExp;

/** How a text becomes words. */
export interface WordOptions {
  /** Default `words`. */
  readonly split?: WordSplit;
  /** Default true. */
  readonly lowercase?: boolean;
  /** Takes accents off letters: 'é' becomes 'e'. Default false. */
  readonly stripAccents?: boolean;
}

/** Options of {@link wordTokenizer}. */
export interface WordTokenizerOptions extends WordOptions, SpecialTokens {
  /** All tokens in the order of their ids; special ones that it lacks are put in front. */
  readonly vocabulary: readonly string[];
}

/**
 * Options of {@link fitWordTokenizer}. The pad token is `[PAD]` and the unknown one `[UNK]` unless named otherwise.
 */
export interface FitWordTokenizerOptions extends WordOptions, SpecialTokens, VocabularyLimits {}

const patterns: { readonly [S in Exclude<WordSplit, RegExp>]: RegExp } = {
  words: /[\p{L}\p{M}\p{N}]+(?:['’][\p{L}\p{M}\p{N}]+)*/gu,
  wordsAndMarks: /[\p{L}\p{M}\p{N}]+(?:['’][\p{L}\p{M}\p{N}]+)*|[^\s\p{L}\p{M}\p{N}]/gu,
  whitespace: /\S+/gu,
};

/**
 * A function that cuts texts into words, composed to Unicode's form NFC.
 *
 * @throws {@link ModelwrightError} `invalid-argument` for an unknown split.
 * @example
 * wordSplitter({ lowercase: true })("Don't panic!"); // ["don't", 'panic']
 */
export function wordSplitter(options: WordOptions = {}): (text: string) => readonly string[] {
  const { split = 'words', lowercase = true, stripAccents = false } = options;
  const source = typeof split === 'string' ? patterns[split] : split;
  if (source === undefined) {
    const allowed = [...Object.keys(patterns), 'a regular expression'];
    throw new ModelwrightError('invalid-argument', `words are split by ${allowed.join(', ')}; '${split}' was given`, {
      given: split,
      allowed,
    });
  }
  const pattern = new RegExp(source.source, source.flags.includes('g') ? source.flags : `${source.flags}g`);
  return (text) => {
    const composed = stripAccents
      ? text.normalize('NFD').replace(/\p{M}/gu, '').normalize('NFC')
      : text.normalize('NFC');
    return (lowercase ? composed.toLowerCase() : composed).match(pattern) ?? [];
  };
}

/**
 * A tokenizer whose tokens are words. Decoding joins them by single spaces.
 *
 * @throws {@link ModelwrightError} `invalid-argument` for a token listed twice.
 */
export function wordTokenizer(options: WordTokenizerOptions): Tokenizer {
  const { vocabulary: tokens, split, lowercase, stripAccents, ...special } = options;
  const words: WordOptions = {
    ...(split === undefined ? {} : { split }),
    ...(lowercase === undefined ? {} : { lowercase }),
    ...(stripAccents === undefined ? {} : { stripAccents }),
  };
  const missing = specialTokensOf(special).filter((token) => !tokens.includes(token));
  const vocabulary = new Vocabulary([...missing, ...tokens], special);
  const splitWords = wordSplitter(words);
  return {
    vocabularySize: vocabulary.tokens.length,
    ...(vocabulary.padId === undefined ? {} : { padId: vocabulary.padId }),
    ...(vocabulary.unknownId === undefined ? {} : { unknownId: vocabulary.unknownId }),
    encode: (text) =>
      splitWords(text)
        .map((word) => vocabulary.idOf(word) ?? vocabulary.unknownId)
        .filter((id) => id !== undefined),
    decode: (ids) => vocabulary.textsOf(ids).join(' '),
    tokenOf: (id) => vocabulary.tokens[id],
    idOf: (token) => vocabulary.idOf(token),
    toJSON: () => toJson(vocabulary, words),
  };
}

/**
 * Learns a word tokenizer: the words of the corpus by falling frequency, equals in the order of their letters.
 *
 * @param corpus - One text or many.
 * @param options.minFrequency - Words seen less often become the unknown token. Default 1.
 * @param options.maxSize - Tokens at most, special ones counted.
 * @example
 * const tokenizer = fitWordTokenizer(mails, { maxSize: 20_000, minFrequency: 2 });
 * tokenizer.encode('Free offer!'); // [5, 82]
 */
export function fitWordTokenizer(corpus: Corpus, options: FitWordTokenizerOptions = {}): Tokenizer {
  const { minFrequency = 1, maxSize = Number.POSITIVE_INFINITY, ...rest } = options;
  const settings = { padToken: '[PAD]', unknownToken: '[UNK]', ...rest };
  const splitWords = wordSplitter(settings);
  const counts = new Map<string, number>();
  for (const text of textsOf(corpus)) countInto(counts, splitWords(text));
  const reserved = specialTokensOf(settings);
  for (const token of reserved) counts.delete(token);
  const kept = frequentTokens(counts, { minFrequency, maxSize }, reserved.length);
  return wordTokenizer({ vocabulary: [...reserved, ...kept], ...settings });
}

function toJson(vocabulary: Vocabulary, { split, ...words }: WordOptions): TokenizerJson {
  const pattern = split instanceof RegExp ? { pattern: split.source, flags: split.flags } : split;
  return {
    type: 'word',
    vocabulary: vocabulary.tokens,
    ...vocabulary.special,
    ...words,
    ...(pattern === undefined ? {} : { split: pattern }),
  };
}
