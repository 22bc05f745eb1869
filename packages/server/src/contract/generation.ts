/** What decides how a text goes on, as OpenAI's API names it. */
export interface GenerationRequest {
  /** Token ids of the prompt. */
  readonly prompt: readonly number[];
  readonly maxTokens?: number;
  readonly temperature?: number;
  readonly topP?: number;
  readonly topK?: number;
  /** Same seed, same answer. Default: another one each time. */
  readonly seed?: number;
  /** Which of several answers to one prompt this is; with equal seeds they still differ. Default 0. */
  readonly choice?: number;
  readonly stop?: readonly string[];
  readonly frequencyPenalty?: number;
  readonly presencePenalty?: number;
  /** Added to the scores of tokens, by id. */
  readonly logitBias?: Readonly<Record<string, number>>;
  /** Give this many alternatives a token with their log-probabilities. */
  readonly logprobs?: number;
}

/** How probable a token was, and the best instead of it. */
export interface TokenLogprob {
  readonly token: string;
  readonly logprob: number;
  readonly top: Readonly<Record<string, number>>;
}

/** A piece of an answer. */
export interface GenerationPiece {
  readonly text: string;
  readonly tokens: readonly number[];
  readonly logprobs?: readonly TokenLogprob[];
  /** On the last piece only. */
  readonly finishReason?: 'stop' | 'length';
  /** On the first piece only: tokens of the prompt that had been read for an earlier request already. */
  readonly cachedTokens?: number;
}

/** Limits of one answer, and on whose behalf it is given. */
export interface GenerationOptions {
  readonly signal?: AbortSignal;
  /** On the clock of `performance.now()`, in milliseconds. */
  readonly deadline?: number;
  /**
   * What was computed for the beginning of a prompt is used again for later prompts that begin alike, but only within one scope: how long an answer
   * takes must not tell one caller what another one wrote. Left out: nothing is used again.
   */
  readonly scope?: string;
}

/** A language model that answers many requests at once: they share each step of the decoder. */
export interface GenerationService {
  /** Tokens that prompt and answer may have together. */
  readonly maxLength: number;
  encode(text: string): number[];
  decode(tokens: readonly number[]): string;
  /** As many tokens as one answer may have. */
  readonly maxTokens: number;
  /** The chat as the text the model was trained on; `unsupported-op` if the model has no template. */
  renderChat(messages: readonly { readonly role: string; readonly content: string }[]): string;
  generate(request: GenerationRequest, options: GenerationOptions): AsyncIterable<GenerationPiece>;
}
