/** What decides how a text goes on, as OpenAI's API names it. */
export interface GenerationRequest {
  /** Token ids of the prompt. */
  readonly prompt: readonly number[];
  readonly maxTokens?: number;
  readonly temperature?: number;
  readonly topP?: number;
  readonly topK?: number;
  readonly seed?: number;
  readonly stop?: readonly string[];
  readonly frequencyPenalty?: number;
  readonly presencePenalty?: number;
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
}

/** A language model that answers many requests at once: they share each step of the decoder. */
export interface GenerationService {
  readonly maxLength: number;
  encode(text: string): number[];
  decode(tokens: readonly number[]): string;
  /** The chat as the text the model was trained on; `unsupported-op` if the model has no template. */
  renderChat(messages: readonly { readonly role: string; readonly content: string }[]): string;
  generate(
    request: GenerationRequest,
    options: { readonly signal?: AbortSignal; readonly deadline?: number },
  ): AsyncIterable<GenerationPiece>;
}
