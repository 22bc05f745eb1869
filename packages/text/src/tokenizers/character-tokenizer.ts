import { type Corpus, countInto, frequentTokens, textsOf, type VocabularyLimits } from './corpus.js';
import type { Tokenizer, TokenizerJson } from './tokenizer.js';
import { type SpecialTokens, specialTokensOf, Vocabulary } from './vocabulary.js';

/** Options of {@link characterTokenizer}. */
export interface CharacterTokenizerOptions extends SpecialTokens {
  /** All tokens in the order of their ids; special ones that it lacks are put in front. */
  readonly vocabulary: readonly string[];
}

/** Options of {@link fitCharacterTokenizer}. */
export interface FitCharacterTokenizerOptions extends SpecialTokens, VocabularyLimits {}

/**
 * A tokenizer whose tokens are characters (Unicode code points).
 *
 * @throws {@link ModelwrightError} `invalid-argument` for a token listed twice.
 * @example
 * characterTokenizer({ vocabulary: ['a', 'b'] }).encode('abba'); // [0, 1, 1, 0]
 */
export function characterTokenizer({ vocabulary: tokens, ...special }: CharacterTokenizerOptions): Tokenizer {
  const missing = specialTokensOf(special).filter((token) => !tokens.includes(token));
  const vocabulary = new Vocabulary([...missing, ...tokens], special);
  return {
    vocabularySize: vocabulary.tokens.length,
    ...(vocabulary.padId === undefined ? {} : { padId: vocabulary.padId }),
    ...(vocabulary.unknownId === undefined ? {} : { unknownId: vocabulary.unknownId }),
    encode: (text) => idsOf(vocabulary, text),
    decode: (ids) => vocabulary.textsOf(ids).join(''),
    tokenOf: (id) => vocabulary.tokens[id],
    idOf: (token) => vocabulary.idOf(token),
    toJSON: (): TokenizerJson => ({ type: 'character', vocabulary: vocabulary.tokens, ...vocabulary.special }),
  };
}

/**
 * Learns a character tokenizer: every character of the corpus, in the order of the code points (as `sorted(set(text))` in
 * Python gives them).
 *
 * @param corpus - One text or many.
 * @param options.maxSize - Tokens at most; the most frequent characters stay.
 * @example
 * const tokenizer = fitCharacterTokenizer(text);
 * tokenizer.decode(tokenizer.encode(text)) === text; // true
 */
export function fitCharacterTokenizer(corpus: Corpus, options: FitCharacterTokenizerOptions = {}): Tokenizer {
  const { minFrequency, maxSize, ...special } = options;
  const counts = new Map<string, number>();
  for (const text of textsOf(corpus)) countInto(counts, text);
  const reserved = specialTokensOf(special);
  for (const token of reserved) counts.delete(token);
  const limits = {
    ...(minFrequency === undefined ? {} : { minFrequency }),
    ...(maxSize === undefined ? {} : { maxSize }),
  };
  const kept = frequentTokens(counts, limits, reserved.length);
  kept.sort((a, b) => (a.codePointAt(0) as number) - (b.codePointAt(0) as number));
  return characterTokenizer({ vocabulary: [...reserved, ...kept], ...special });
}

function idsOf(vocabulary: Vocabulary, text: string): number[] {
  const ids: number[] = [];
  for (const character of text) {
    const id = vocabulary.idOf(character) ?? vocabulary.unknownId;
    if (id !== undefined) ids.push(id);
  }
  return ids;
}
