export {
  type BytePairTokenizerOptions,
  type BytePairTrainingOptions,
  bytePairTokenizer,
  trainBytePairTokenizer,
} from './byte-pair/byte-pair-tokenizer.js';
export { type CtcBeamOptions, ctcBeamSearch } from './decoding/ctc-beam-search.js';
export { ctcGreedy } from './decoding/ctc-greedy.js';
export type { CtcReading, CtcScoreOptions } from './decoding/ctc-scores.js';
export { type Elements, editDistance } from './decoding/edit-distance.js';
export { characterErrorRate, type Texts, wordErrorRate } from './decoding/error-rates.js';
export * from './generation/index.js';
export {
  type CharacterTokenizerOptions,
  characterTokenizer,
  type FitCharacterTokenizerOptions,
  fitCharacterTokenizer,
} from './tokenizers/character-tokenizer.js';
export type { Corpus, VocabularyLimits } from './tokenizers/corpus.js';
export { type EncodeBatchOptions, type EncodedBatch, encodeBatch } from './tokenizers/encode-batch.js';
export type { HuggingFaceOptions } from './tokenizers/hugging-face.js';
export { loadTokenizer } from './tokenizers/load-tokenizer.js';
export type { Tokenizer, TokenizerJson } from './tokenizers/tokenizer.js';
export type { SpecialTokens } from './tokenizers/vocabulary.js';
export {
  type FitWordTokenizerOptions,
  fitWordTokenizer,
  type WordOptions,
  type WordSplit,
  type WordTokenizerOptions,
  wordSplitter,
  wordTokenizer,
} from './tokenizers/word-tokenizer.js';
