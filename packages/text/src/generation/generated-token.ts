/** Why a row ended: a token or text to stop at, enough tokens, or no room for more. */
export type FinishReason = 'stop' | 'maxTokens' | 'maxLength';

/** One token of one row. */
export interface GeneratedToken {
  /** Which prompt of the batch it continues; 0 for a single one. */
  readonly row: number;
  readonly token: number;
  /** Logarithm of the probability that the model gives it, before temperature and the like. */
  readonly logProbability: number;
  /** Given with the last token of a row. */
  readonly finish?: FinishReason;
}

/** A piece of the text of one row. */
export interface GeneratedText {
  /** Which prompt of the batch it continues; 0 for a single one. */
  readonly row: number;
  /** Empty at times: a character may take several tokens, and what may be the beginning of a stop is held back. */
  readonly text: string;
  /** Given with the last piece of a row. */
  readonly finish?: FinishReason;
}
