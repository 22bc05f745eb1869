import { ModelwrightError } from '@modelwright/core';
import { createSampler, type Sampler, type Tokenizer } from '@modelwright/text';
import type { GenerationRequest, TokenLogprob } from '../contract/generation.js';

/** A token that was drawn. */
export interface ChosenToken {
  readonly token: number;
  readonly logprob?: TokenLogprob;
}

/** Draws the tokens of one answer: biases and penalties first, then temperature, top-k and nucleus. */
export class TokenChoice {
  readonly #sampler: Sampler;
  readonly #request: GenerationRequest;
  readonly #tokenizer: Tokenizer;
  readonly #bias: readonly (readonly [token: number, amount: number])[];
  readonly #counts = new Map<number, number>();
  #step = 0;

  /** @throws {@link ModelwrightError} `invalid-argument` for an option out of its range. */
  constructor(request: GenerationRequest, tokenizer: Tokenizer) {
    const { temperature = 1, topP = 1, topK, seed } = request;
    this.#request = request;
    this.#tokenizer = tokenizer;
    this.#bias = biasOf(request, tokenizer);
    requireWithin('frequencyPenalty', request.frequencyPenalty, [-2, 2]);
    requireWithin('presencePenalty', request.presencePenalty, [-2, 2]);
    requireWithin('logprobs', request.logprobs, [0, 20]);
    this.#sampler = createSampler({
      temperature,
      topP,
      seed: seed ?? Math.floor(Math.random() * 2 ** 31),
      ...(topK === undefined ? {} : { topK }),
    });
  }

  /**
   * @param all - Logits of the next token; adjusted in place. There may be more than tokens: models are padded to round sizes.
   * @throws {@link ModelwrightError} `not-finite`.
   */
  draw(all: Float32Array): ChosenToken {
    const { logprobs, choice = 0 } = this.#request;
    const scores = all.subarray(0, this.#tokenizer.vocabularySize);
    const given = logprobs === undefined ? undefined : scores.slice();
    this.#adjust(scores);
    const { token } = this.#sampler.draw(scores, { row: choice, step: this.#step, history: [] });
    this.#step += 1;
    this.#counts.set(token, (this.#counts.get(token) ?? 0) + 1);
    return given === undefined ? { token } : { token, logprob: this.#logprobOf(token, given) };
  }

  /** `s[t] + bias[t] − frequency · count[t] − presence · [count[t] > 0]` */
  #adjust(scores: Float32Array): void {
    const { frequencyPenalty = 0, presencePenalty = 0 } = this.#request;
    for (const [token, amount] of this.#bias) scores[token] = (scores[token] as number) + amount;
    if (frequencyPenalty === 0 && presencePenalty === 0) return;
    for (const [token, count] of this.#counts)
      scores[token] = (scores[token] as number) - frequencyPenalty * count - presencePenalty;
  }

  /** What the model itself gives, before anything is adjusted. */
  #logprobOf(token: number, scores: Float32Array): TokenLogprob {
    const total = logSumOfExponentials(scores);
    const logprob = (id: number): number => (scores[id] as number) - total;
    const best = mostLikely(scores, this.#request.logprobs ?? 0);
    return {
      token: this.#textOf(token),
      logprob: logprob(token),
      top: Object.fromEntries(best.map((id) => [this.#textOf(id), logprob(id)])),
    };
  }

  /** A token may be part of a character, or of control: then as the vocabulary writes it. */
  #textOf(token: number): string {
    const text = this.#tokenizer.decode([token]);
    return text === '' || text.includes('\ufffd') ? (this.#tokenizer.tokenOf(token) ?? text) : text;
  }
}

function biasOf({ logitBias = {} }: GenerationRequest, { vocabularySize }: Tokenizer): (readonly [number, number])[] {
  return Object.entries(logitBias).map(([key, amount]) => {
    const token = Number(key);
    if (!Number.isInteger(token) || token < 0 || token >= vocabularySize)
      throw new ModelwrightError(
        'invalid-argument',
        `'logitBias' names the token ${key}; tokens are 0 … ${vocabularySize - 1}`,
        { input: 'logit_bias', given: key },
      );
    requireWithin('logitBias', amount, [-100, 100]);
    return [token, amount] as const;
  });
}

function requireWithin(name: string, given: number | undefined, [low, high]: readonly [number, number]): void {
  if (given === undefined || (given >= low && given <= high)) return;
  throw new ModelwrightError(
    'invalid-argument',
    `'${name}' must be a number from ${low} to ${high}; ${given} was given`,
    {
      given,
      allowed: [low, high],
    },
  );
}

function logSumOfExponentials(scores: Float32Array): number {
  let largest = Number.NEGATIVE_INFINITY;
  for (const score of scores) if (score > largest) largest = score;
  let sum = 0;
  for (const score of scores) sum += Math.exp(score - largest);
  return largest + Math.log(sum);
}

/** The tokens with the highest scores, best first. */
function mostLikely(scores: Float32Array, count: number): number[] {
  const best: number[] = [];
  for (let token = 0; token < scores.length && count > 0; token++) {
    const score = scores[token] as number;
    if (best.length === count && score <= (scores[best[count - 1] as number] as number)) continue;
    const at = best.findIndex((other) => (scores[other] as number) < score);
    best.splice(at < 0 ? best.length : at, 0, token);
    if (best.length > count) best.pop();
  }
  return best;
}
