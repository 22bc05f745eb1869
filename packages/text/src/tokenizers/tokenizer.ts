/** What `toJSON` of a tokenizer gives; `type` names the kind of tokenizer, the rest is its own. */
export type TokenizerJson = Readonly<Record<string, unknown>>;

/**
 * Turns text into ids and ids into text. A tokenizer is immutable, and the same text always gives the same ids.
 *
 * Ids are whole numbers from 0 to `vocabularySize − 1`, so that they can index the rows of an embedding.
 */
export interface Tokenizer {
  /** How many ids there are; the `inputDimension` of an embedding and the classes of a language model. */
  readonly vocabularySize: number;
  /** The id that fills up short rows, if the vocabulary has one. */
  readonly padId?: number;
  /** The id that stands for what is not in the vocabulary, if there is one. */
  readonly unknownId?: number;
  /** The ids of `text`, in order. */
  encode(text: string): number[];
  /** The text of `ids`; tokens of control (padding, start, end) are left out. */
  decode(ids: Iterable<number>): string;
  /** The token of an id as the vocabulary writes it, or undefined where there is none. */
  tokenOf(id: number): string | undefined;
  /** The id of a token as the vocabulary writes it, or undefined where there is none. */
  idOf(token: string): number | undefined;
  /** All of the tokenizer as plain data: `loadTokenizer(JSON.parse(JSON.stringify(tokenizer)))` gives it again. */
  toJSON(): TokenizerJson;
}
