import type { TokenLogprob } from '../contract/generation.js';

const encoder = new TextEncoder();

/** As chats tell log-probabilities. */
export function chatLogprobs(logprobs: readonly TokenLogprob[] | undefined): object | null {
  if (logprobs === undefined) return null;
  const entry = (token: string, logprob: number): object => ({ token, logprob, bytes: [...encoder.encode(token)] });
  const content = logprobs.map(({ token, logprob, top }) => ({
    ...entry(token, logprob),
    top_logprobs: Object.entries(top).map(([other, value]) => entry(other, value)),
  }));
  return { content, refusal: null };
}

/** As completions tell them; offsets count characters of the answer. */
export class CompletionLogprobs {
  #offset = 0;

  of(logprobs: readonly TokenLogprob[] | undefined): object | null {
    if (logprobs === undefined) return null;
    return {
      tokens: logprobs.map(({ token }) => token),
      token_logprobs: logprobs.map(({ logprob }) => logprob),
      top_logprobs: logprobs.map(({ top }) => top),
      text_offset: logprobs.map(({ token }) => {
        const offset = this.#offset;
        this.#offset += token.length;
        return offset;
      }),
    };
  }
}
