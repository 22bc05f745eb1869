export {
  type CharacterTokenizerOptions,
  characterTokenizer,
  type FitCharacterTokenizerOptions,
  fitCharacterTokenizer,
} from './tokenizers/character-tokenizer.js';
export type { Corpus, VocabularyLimits } from './tokenizers/corpus.js';
export type { Tokenizer, TokenizerJson } from './tokenizers/tokenizer.js';
export type { SpecialTokens } from './tokenizers/vocabulary.js';
