import type {
  GenerationOptions,
  GenerationPiece,
  GenerationRequest,
  GenerationService,
} from '../contract/generation.js';
import type { RequestScope } from '../contract/route.js';

/** A piece of one of several answers. */
export interface ChoicePiece {
  readonly index: number;
  readonly piece: GenerationPiece;
}

/** Counts of tokens, as OpenAI's API has them. */
export interface TokenUsage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
  readonly prompt_tokens_details: { readonly cached_tokens: number };
}

/** Several answers under way at once: they share the steps of the decoder, and their pieces come as they are made. */
export class AnswerChoices {
  readonly #controller = new AbortController();
  readonly #service: GenerationService;
  readonly #requests: readonly GenerationRequest[];
  readonly #scope: Pick<RequestScope, 'signal' | 'deadline'>;
  readonly #promptTokens: number;
  #completionTokens = 0;
  #cachedTokens = 0;

  /** @param promptTokens - Tokens of the different prompts: several answers to one count it once. */
  constructor(
    service: GenerationService,
    requests: readonly GenerationRequest[],
    {
      scope,
      promptTokens,
    }: { readonly scope: Pick<RequestScope, 'signal' | 'deadline'>; readonly promptTokens: number },
  ) {
    this.#service = service;
    this.#requests = requests;
    this.#scope = scope;
    this.#promptTokens = promptTokens;
  }

  get usage(): TokenUsage {
    const [prompt, completion] = [this.#promptTokens, this.#completionTokens];
    return {
      prompt_tokens: prompt,
      completion_tokens: completion,
      total_tokens: prompt + completion,
      prompt_tokens_details: { cached_tokens: Math.min(this.#cachedTokens, prompt) },
    };
  }

  /** Ends them all. */
  cancel(): void {
    this.#controller.abort();
  }

  /** The pieces of all answers. @throws what the first of them fails with; the others are cancelled then. */
  async *pieces(): AsyncGenerator<ChoicePiece, void, undefined> {
    const { signal, deadline } = this.#scope;
    const options: GenerationOptions = {
      signal: AbortSignal.any([signal, this.#controller.signal]),
      ...(deadline === undefined ? {} : { deadline }),
    };
    const sources = this.#requests.map((request) => this.#service.generate(request, options)[Symbol.asyncIterator]());
    const next = async (index: number): Promise<Arrival> => {
      const result = await (sources[index] as AsyncIterator<GenerationPiece>).next();
      return { index, result };
    };
    const pending = new Map(sources.map((_, index) => [index, next(index)]));
    try {
      while (pending.size > 0) {
        const { index, result } = await Promise.race(pending.values());
        if (result.done === true) pending.delete(index);
        else {
          pending.set(index, next(index));
          yield this.#counted({ index, piece: result.value });
        }
      }
    } finally {
      this.cancel();
      await Promise.allSettled(pending.values());
    }
  }

  #counted(one: ChoicePiece): ChoicePiece {
    this.#completionTokens += one.piece.tokens.length;
    this.#cachedTokens += one.piece.cachedTokens ?? 0;
    return one;
  }
}

interface Arrival {
  readonly index: number;
  readonly result: IteratorResult<GenerationPiece>;
}

/** All pieces of each answer as one. */
export async function wholeAnswers(choices: AnswerChoices): Promise<readonly GenerationPiece[]> {
  const parts: GenerationPiece[][] = [];
  for await (const { index, piece } of choices.pieces()) {
    parts[index] ??= [];
    parts[index].push(piece);
  }
  return parts.map((pieces) => {
    const logprobs = pieces.flatMap((piece) => piece.logprobs ?? []);
    return {
      text: pieces.map(({ text }) => text).join(''),
      tokens: pieces.flatMap(({ tokens }) => tokens),
      ...(logprobs.length === 0 ? {} : { logprobs }),
      finishReason: pieces.at(-1)?.finishReason ?? 'stop',
    };
  });
}
