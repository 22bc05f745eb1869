import { ModelwrightError } from '@modelwright/core';
import type { Corpus } from '../tokenizers/corpus.js';
import { textsOf } from '../tokenizers/corpus.js';
import type { Tokenizer } from '../tokenizers/tokenizer.js';
import { type SpecialTokens, specialTokensOf, Vocabulary } from '../tokenizers/vocabulary.js';
import { byteAlphabet, bytesOf, toByteCharacters } from './byte-alphabet.js';
import { type Merges, mergePairs, pairKey } from './merge-pairs.js';
import { splitWords } from './split-words.js';
import { toTokenizerFile } from './tokenizer-file.js';
import { trainMerges } from './train-merges.js';

/** Options of {@link trainBytePairTokenizer}. There is nothing that bytes cannot spell, so no unknown token either. */
export interface BytePairTrainingOptions extends Omit<SpecialTokens, 'unknownToken'> {
  /** Tokens in all: special ones, the 256 bytes, and one a merge. Fewer when the corpus has no more pairs. */
  readonly vocabularySize: number;
  /** Pairs seen less often are not merged. Default 2. */
  readonly minFrequency?: number;
}

/** Options of {@link bytePairTokenizer}. */
export interface BytePairTokenizerOptions extends Omit<SpecialTokens, 'unknownToken'> {
  /** All tokens in the order of their ids, bytes written as GPT-2 writes them. */
  readonly vocabulary: readonly string[];
  /** Pairs of tokens in the order in which they are merged. */
  readonly merges: readonly (readonly [left: string, right: string])[];
}

/**
 * Learns a byte-level byte-pair tokenizer, as GPT-2 has one: any text can be encoded, and decoding gives it back. The same
 * corpus and options always give the same tokenizer; the merges are those that Hugging Face's trainer finds.
 *
 * @param corpus - One text or many.
 * @throws {@link ModelwrightError} `invalid-argument` when the vocabulary has no room for the 256 bytes.
 * @see Sennrich et al., arXiv:1508.07909; Radford et al., "Language Models are Unsupervised Multitask Learners", §2.2.
 * @example
 * const tokenizer = trainBytePairTokenizer(text, { vocabularySize: 1256 });
 * tokenizer.decode(tokenizer.encode('naïve 🙂')); // 'naïve 🙂'
 */
export function trainBytePairTokenizer(corpus: Corpus, options: BytePairTrainingOptions): Tokenizer {
  const { vocabularySize, minFrequency = 2, ...special } = options;
  const alphabet = [...specialTokensOf(special), ...byteAlphabet];
  if (!Number.isInteger(vocabularySize) || vocabularySize < alphabet.length) {
    throw new ModelwrightError(
      'invalid-argument',
      `byte-pair encoding: vocabularySize is ${vocabularySize}; bytes and special tokens alone take ${alphabet.length}`,
      { given: vocabularySize, allowed: alphabet.length },
    );
  }
  const words = countWords(corpus, specialTokensOf(special));
  const { tokens, merges } = trainMerges(words, { alphabet, vocabularySize, minFrequency });
  return bytePairTokenizer({ vocabulary: tokens, merges, ...special });
}

function countWords(corpus: Corpus, specialTokens: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  const splitSpecial = specialSplitter(specialTokens);
  for (const text of textsOf(corpus)) {
    for (const part of splitSpecial(text)) {
      if (specialTokens.includes(part)) continue;
      for (const word of splitWords(part)) counts.set(word, (counts.get(word) ?? 0) + 1);
    }
  }
  return new Map([...counts].map(([word, count]) => [toByteCharacters(word), count]));
}

/**
 * A byte-level byte-pair tokenizer from its vocabulary and merges. Special tokens are recognised wherever a text spells them.
 *
 * @throws {@link ModelwrightError} `invalid-argument` for a vocabulary that lacks a byte, a special token or what a merge makes.
 */
export function bytePairTokenizer({ vocabulary: tokens, merges, ...special }: BytePairTokenizerOptions): Tokenizer {
  const vocabulary = new Vocabulary(tokens, special);
  const encodePart = partEncoder(vocabulary, merges);
  const specialTokens = specialTokensOf(special);
  const splitSpecial = specialSplitter(specialTokens);
  // A byte order mark is text like any other here: what was encoded comes back.
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  return {
    vocabularySize: tokens.length,
    ...(vocabulary.padId === undefined ? {} : { padId: vocabulary.padId }),
    encode: (text) =>
      splitSpecial(text).flatMap((part) =>
        specialTokens.includes(part) ? [vocabulary.idOf(part) as number] : encodePart(part),
      ),
    decode: (ids) => decoder.decode(Uint8Array.from(bytesOf(vocabulary.textsOf(ids).join('')))),
    tokenOf: (id) => tokens[id],
    idOf: (token) => vocabulary.idOf(token),
    toJSON: () => toTokenizerFile({ tokens, merges, special }),
  };
}

/** Cuts special tokens out of a text; of two that start at the same place the longer one counts. */
function specialSplitter(specialTokens: readonly string[]): (text: string) => readonly string[] {
  if (specialTokens.length === 0) return (text) => [text];
  const escaped = specialTokens.map((token) => token.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  const pattern = new RegExp(`(${escaped.sort((a, b) => b.length - a.length).join('|')})`, 'gu');
  return (text) => text.split(pattern).filter((part) => part !== '');
}

// Texts repeat their words: what a word becomes is remembered, up to a bound that keeps memory small.
const rememberedWords = 20_000;
const longestRemembered = 64;

function partEncoder(vocabulary: Vocabulary, merges: BytePairTokenizerOptions['merges']): (text: string) => number[] {
  const byteIds = new Map(byteAlphabet.map((character) => [character, requireId(vocabulary, character)]));
  const mergesOfIds = toMerges(vocabulary, merges);
  const remembered = new Map<string, readonly number[]>();
  const encodeWord = (word: string): readonly number[] => {
    const known = remembered.get(word);
    if (known !== undefined) return known;
    const bytes = Array.from(toByteCharacters(word), (character) => byteIds.get(character) as number);
    const ids = mergePairs(bytes, mergesOfIds);
    if (remembered.size >= rememberedWords) remembered.clear();
    if (word.length <= longestRemembered) remembered.set(word, ids);
    return ids;
  };
  return (text) => {
    const ids: number[] = [];
    for (const word of splitWords(text)) for (const id of encodeWord(word)) ids.push(id);
    return ids;
  };
}

function toMerges(vocabulary: Vocabulary, merges: BytePairTokenizerOptions['merges']): Merges {
  return new Map(
    merges.map(([left, right], rank) => [
      pairKey(requireId(vocabulary, left), requireId(vocabulary, right)),
      { rank, id: requireId(vocabulary, left + right) },
    ]),
  );
}

function requireId(vocabulary: Vocabulary, token: string): number {
  const id = vocabulary.idOf(token);
  if (id !== undefined) return id;
  throw new ModelwrightError(
    'invalid-argument',
    `byte-pair encoding: the vocabulary lacks ${JSON.stringify(token)}, a byte or what a merge joins`,
    { given: token },
  );
}
