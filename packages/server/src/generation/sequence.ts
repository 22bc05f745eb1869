import { ModelwrightError } from '@modelwright/core';
import { TextStream, type Tokenizer } from '@modelwright/text';
import type { GenerationOptions, GenerationPiece, GenerationRequest, TokenLogprob } from '../contract/generation.js';
import { PieceBuffer } from './piece-buffer.js';
import { TokenChoice } from './token-choice.js';

/** What all sequences of a model share. */
export interface SequenceRules {
  readonly tokenizer: Tokenizer;
  readonly maxLength: number;
  readonly maxTokens: number;
  /** Texts and tokens that end every answer. */
  readonly stop: readonly string[];
  readonly stopTokens: ReadonlySet<number>;
}

/** One answer under way: its prompt, what has been drawn, and the pieces its reader has yet to take. */
export class Sequence {
  readonly prompt: readonly number[];
  readonly scope: string | undefined;
  readonly pieces: PieceBuffer = new PieceBuffer();
  readonly #arrivedAt: number = performance.now();
  #waitedMilliseconds: number | undefined;
  readonly #rules: SequenceRules;
  readonly #options: GenerationOptions;
  readonly #choice: TokenChoice;
  readonly #stream: TextStream;
  readonly #maxTokens: number;
  readonly #drawn: number[] = [];
  readonly #abort = (): void => this.fail(abortedError(this.#options.signal));
  /** Drawn, but not told yet: a character may take several tokens. */
  #untold: { readonly token: number; readonly logprob: TokenLogprob | undefined }[] = [];
  #cachedTokens: number | undefined;
  #isEnded = false;
  #hasBegunAgain = false;

  /** @throws {@link ModelwrightError} `invalid-argument`, `value-out-of-range`, `aborted`. */
  constructor(request: GenerationRequest, options: GenerationOptions, rules: SequenceRules) {
    const { tokenizer, maxTokens } = rules;
    this.prompt = request.prompt;
    this.scope = options.scope;
    this.#rules = rules;
    this.#options = options;
    requirePrompt(request.prompt, rules);
    this.#maxTokens = maxTokensOf(request, maxTokens);
    this.#choice = new TokenChoice(request, tokenizer);
    this.#stream = new TextStream(tokenizer, [...rules.stop, ...(request.stop ?? [])], request.prompt);
    if (options.signal?.aborted) throw abortedError(options.signal);
    options.signal?.addEventListener('abort', this.#abort, { once: true });
  }

  /** Whether nothing more is to be computed for it. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** How long it has waited for a row, and how long it has been there in all, in milliseconds. */
  get times(): { readonly waited: number; readonly total: number } {
    const total = performance.now() - this.#arrivedAt;
    return { waited: this.#waitedMilliseconds ?? total, total };
  }

  /** Tokens that the row has to hold, from `held` on: the rest of the prompt, or the last token. */
  next(held: number): readonly number[] {
    const read = this.prompt.length;
    return held < read ? this.prompt.slice(held) : this.#drawn.slice(held - read);
  }

  /** Says that the row it got holds the first tokens of the prompt already. */
  began(cachedTokens: number): void {
    this.#waitedMilliseconds = performance.now() - this.#arrivedAt;
    this.#cachedTokens = cachedTokens;
  }

  /** Draws the next token. @param isFull - Whether the row has no room for it. */
  take(scores: Float32Array, isFull: boolean): void {
    const { token, logprob } = this.#choice.draw(scores);
    this.#drawn.push(token);
    this.#untold.push({ token, logprob });
    const isStop = this.#rules.stopTokens.has(token) || this.#stream.push(token);
    const isLong = this.#drawn.length >= this.#maxTokens || isFull;
    if (isStop || isLong) this.#finish(isStop ? 'stop' : 'length');
    else this.#tellText(this.#stream.take());
  }

  /**
   * Whether it may go on after what it had in the decoder was lost, from its prompt and what had been drawn: once only, since it may be what
   * the decoder died of.
   */
  beginsAgain(): boolean {
    const isFirst = !this.#hasBegunAgain;
    this.#hasBegunAgain = true;
    return isFirst;
  }

  /** Ends it with an error. */
  fail(error: unknown): void {
    if (this.#isEnded) return;
    this.#end();
    this.pieces.fail(error);
  }

  /** Ends it if its time is over. @param now - On the clock of `performance.now()`. */
  expire(now: number): void {
    const { deadline } = this.#options;
    if (this.#isEnded || deadline === undefined || now < deadline) return;
    const count = this.#drawn.length;
    this.fail(
      new ModelwrightError('deadline-exceeded', `the time for an answer is over; ${count} tokens had been drawn`),
    );
  }

  /** Ends it because nobody reads it any more. */
  cancel(): void {
    this.fail(abortedError(this.#options.signal));
  }

  #finish(finishReason: 'stop' | 'length'): void {
    this.#end();
    this.#tell({ text: this.#stream.end(finishReason === 'stop'), finishReason });
  }

  #tellText(text: string): void {
    if (text !== '') this.#tell({ text });
  }

  #tell(piece: Pick<GenerationPiece, 'text' | 'finishReason'>): void {
    const untold = this.#untold;
    this.#untold = [];
    const logprobs = untold.map(({ logprob }) => logprob).filter((logprob) => logprob !== undefined);
    this.pieces.push({
      ...piece,
      tokens: untold.map(({ token }) => token),
      ...(logprobs.length === 0 ? {} : { logprobs }),
      ...(this.#cachedTokens === undefined ? {} : { cachedTokens: this.#cachedTokens }),
    });
    this.#cachedTokens = undefined;
  }

  #end(): void {
    this.#isEnded = true;
    this.#options.signal?.removeEventListener('abort', this.#abort);
  }
}

function abortedError(signal: AbortSignal | undefined): ModelwrightError {
  return new ModelwrightError('aborted', 'the generation was aborted', { cause: signal?.reason });
}

function requirePrompt(prompt: readonly number[], { tokenizer: { vocabularySize }, maxLength }: SequenceRules): void {
  if (prompt.length === 0)
    throw new ModelwrightError('invalid-argument', 'the prompt is empty; it needs a token to begin with', {
      input: 'prompt',
    });
  if (prompt.length > maxLength)
    throw new ModelwrightError(
      'invalid-argument',
      `the prompt has ${prompt.length} tokens; the model holds ${maxLength}, the answer counted`,
      { input: 'prompt', given: prompt.length, allowed: maxLength },
    );
  const wrong = prompt.find((token) => !(Number.isInteger(token) && token >= 0 && token < vocabularySize));
  if (wrong === undefined) return;
  throw new ModelwrightError(
    'value-out-of-range',
    `the prompt has the token ${wrong}; tokens are 0 … ${vocabularySize - 1}`,
    { input: 'prompt', given: wrong, allowed: vocabularySize },
  );
}

function maxTokensOf({ maxTokens }: GenerationRequest, most: number): number {
  if (maxTokens === undefined) return most;
  if (Number.isInteger(maxTokens) && maxTokens >= 1 && maxTokens <= most) return maxTokens;
  throw new ModelwrightError('invalid-argument', `an answer may have 1 … ${most} tokens; ${maxTokens} were asked for`, {
    input: 'max_tokens',
    given: maxTokens,
    allowed: most,
  });
}
