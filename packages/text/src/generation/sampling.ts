import { counterUniform, ModelwrightError } from '@modelwright/core';

/** How the next token is drawn from the logits. */
export interface SamplingOptions {
  /** Logits are divided by it: below 1 sharper, above 1 flatter; 0 takes the most likely token. Default 1. */
  readonly temperature?: number;
  /** Draw among this many most likely tokens only. Default: all. */
  readonly topK?: number;
  /** Draw among the most likely tokens whose probabilities first sum to this. Default 1: all. */
  readonly topP?: number;
  /** Makes tokens that the row already holds less likely: above 0, logits are divided by it, below multiplied. Default 1. */
  readonly repetitionPenalty?: number;
  /** Same seed, same tokens. Default 0. */
  readonly seed?: number;
}

/** Where a draw stands: each place has a random number of its own, whatever else is in the batch. */
export interface DrawPlace {
  readonly row: number;
  /** How many tokens the row has drawn before. */
  readonly step: number;
  /** Tokens of the row so far, for the repetition penalty. */
  readonly history: Iterable<number>;
}

/** A token, and the logarithm of the probability that the model itself gives it. */
export interface Draw {
  readonly token: number;
  readonly logProbability: number;
}

/** Draws one token from the logits of one row. */
export interface Sampler {
  /** Whether a draw depends on the row's former tokens. */
  readonly readsHistory: boolean;
  /** @throws {@link ModelwrightError} `not-finite` where the logits hold no token to draw. */
  draw(logits: ArrayLike<number>, place: DrawPlace): Draw;
}

/**
 * Makes a sampler: penalty, temperature, then the k most likely, then the nucleus, in this order.
 *
 * @throws {@link ModelwrightError} `invalid-argument` for an option out of its range.
 * @see Keskar et al., arXiv:1909.05858, §4.1 (repetition penalty); Holtzman et al., arXiv:1904.09751 (nucleus).
 */
export function createSampler(options: SamplingOptions = {}): Sampler {
  const { temperature = 1, topK, topP = 1, repetitionPenalty = 1, seed = 0 } = options;
  requireRange('temperature', temperature, temperature >= 0, 'a number ≥ 0');
  requireRange('topK', topK, topK === undefined || (Number.isInteger(topK) && topK >= 1), 'a whole number ≥ 1');
  requireRange('topP', topP, topP > 0 && topP <= 1, 'a number in (0, 1]');
  requireRange('repetitionPenalty', repetitionPenalty, repetitionPenalty > 0, 'a number > 0');
  requireRange('seed', seed, Number.isSafeInteger(seed), 'a whole number');
  const draw: Sampler['draw'] = (logits, place) => {
    requireFinite(logits, place);
    const adjusted = repetitionPenalty === 1 ? logits : penalized(logits, place.history, repetitionPenalty);
    const token =
      temperature === 0
        ? indexOfMaximum(adjusted)
        : drawFrom(candidatesOf(adjusted, { temperature, topK, topP }), uniformAt(seed, place));
    return { token, logProbability: logProbabilityOf(logits, token) };
  };
  return { readsHistory: repetitionPenalty !== 1, draw };
}

function requireRange(name: string, given: unknown, holds: boolean, allowed: string): void {
  if (holds && !Number.isNaN(given)) return;
  throw new ModelwrightError('invalid-argument', `'${name}' must be ${allowed}; ${String(given)} was given`, {
    given,
    allowed,
  });
}

/** A logit may be −∞ (a token that is ruled out), but one must be a number. */
function requireFinite(logits: ArrayLike<number>, { row }: DrawPlace): void {
  let largest = Number.NEGATIVE_INFINITY;
  // A sum carries NaN along, which Math.max of single values would too, at a higher price.
  for (let token = 0; token < logits.length; token++) {
    const logit = logits[token] as number;
    if (logit > largest) largest = logit;
    else if (Number.isNaN(logit)) largest = Number.POSITIVE_INFINITY;
  }
  if (Number.isFinite(largest)) return;
  throw new ModelwrightError(
    'not-finite',
    `the logits of row ${row} hold no token to draw: NaN, or nothing but infinities`,
  );
}

function penalized(logits: ArrayLike<number>, history: Iterable<number>, penalty: number): Float64Array {
  const adjusted = Float64Array.from(logits);
  for (const token of new Set(history)) {
    const logit = adjusted[token];
    if (logit !== undefined) adjusted[token] = logit > 0 ? logit / penalty : logit * penalty;
  }
  return adjusted;
}

/** The first of the largest, as NumPy's and PyTorch's argmax on the CPU. */
function indexOfMaximum(logits: ArrayLike<number>): number {
  let best = 0;
  for (let token = 1; token < logits.length; token++)
    if ((logits[token] as number) > (logits[best] as number)) best = token;
  return best;
}

/** Tokens to draw from, with weights that need not sum to one. */
interface Candidates {
  /** Left out: all, by their ids. */
  readonly tokens?: ArrayLike<number>;
  readonly weights: Float64Array;
}

interface Limits {
  readonly temperature: number;
  readonly topK: number | undefined;
  readonly topP: number;
}

// Vocabularies are long and every token is drawn from all of it: plain loops are some 20 times as fast here as what reads nicer.
function candidatesOf(logits: ArrayLike<number>, { temperature, topK, topP }: Limits): Candidates {
  const maximum = logits[indexOfMaximum(logits)] as number;
  const weights = new Float64Array(logits.length);
  for (let token = 0; token < weights.length; token++)
    weights[token] = Math.exp(((logits[token] as number) - maximum) / temperature);
  if (topK !== undefined && topK < weights.length) {
    const likely = mostLikely(weights, topK);
    const kept = Float64Array.from(likely, (token) => weights[token] as number);
    const count = topP < 1 ? nucleusSize(kept, topP) : kept.length;
    return { tokens: likely.slice(0, count), weights: kept.slice(0, count) };
  }
  if (topP >= 1) return { weights };
  const tokens = nucleus(weights, topP);
  return { tokens, weights: Float64Array.from(tokens, (token) => weights[token] as number) };
}

/** Up to here the best are kept in order while looking; a sort of all is quicker for more. */
const fewTokens = 128;

/** The `count` most likely tokens by falling weight; equals in the order of their ids, whatever the engine's sort does. */
function mostLikely(weights: Float64Array, count: number): number[] {
  if (count > fewTokens) return withWeightFrom(weights, weights.slice().sort().at(-count) as number).slice(0, count);
  const best: number[] = [];
  let least = -1;
  for (let token = 0; token < weights.length; token++) {
    const weight = weights[token] as number;
    if (weight <= least && best.length === count) continue;
    let place = best.length;
    while (place > 0 && (weights[best[place - 1] as number] as number) < weight) place--;
    best.splice(place, 0, token);
    if (best.length > count) best.pop();
    least = weights[best.at(-1) as number] as number;
  }
  return best;
}

/** All tokens of at least this weight, by falling weight. */
function withWeightFrom(weights: Float64Array, least: number): number[] {
  const tokens: number[] = [];
  for (let token = 0; token < weights.length; token++) if ((weights[token] as number) >= least) tokens.push(token);
  return tokens.sort((a, b) => (weights[b] as number) - (weights[a] as number) || a - b);
}

/** The fewest most likely tokens whose weights reach the share `topP` of all. */
function nucleus(weights: Float64Array, topP: number): number[] {
  let total = 0;
  for (let token = 0; token < weights.length; token++) total += weights[token] as number;
  // What is left out weighs less than (1 − p) in sum, so the nucleus lies in the rest. Numbers alone are sorted by the engine itself.
  const least = ((1 - topP) * total) / weights.length;
  const falling = weights
    .filter((weight) => weight >= least)
    .sort()
    .reverse();
  const count = nucleusSize(falling, topP, total);
  return withWeightFrom(weights, falling[count - 1] as number).slice(0, count);
}

/** How many of the first weights reach the share `topP` of `total`. */
function nucleusSize(falling: Float64Array, topP: number, total: number = sumOf(falling)): number {
  let sum = 0;
  for (let count = 1; count <= falling.length; count++) {
    sum += falling[count - 1] as number;
    if (sum >= topP * total) return count;
  }
  return falling.length;
}

function sumOf(values: Float64Array): number {
  let sum = 0;
  for (let index = 0; index < values.length; index++) sum += values[index] as number;
  return sum;
}

function drawFrom({ tokens, weights }: Candidates, uniform: number): number {
  const tokenAt = (index: number): number => (tokens === undefined ? index : (tokens[index] as number));
  let rest = uniform * sumOf(weights);
  for (let index = 0; index < weights.length; index++) {
    rest -= weights[index] as number;
    if (rest < 0) return tokenAt(index);
  }
  // Rounding may leave a crumb; the last token that has any weight takes it.
  return tokenAt(weights.findLastIndex((weight) => weight > 0));
}

/** A number in [0, 1) with 48 random bits. */
function uniformAt(seed: number, { row, step }: DrawPlace): number {
  const numbers = counterUniform(seed, step, 2 * row + 2);
  return (numbers[2 * row] as number) + (numbers[2 * row + 1] as number) * 2 ** -24;
}

/** `ln softmax(logits)[token]` */
function logProbabilityOf(logits: ArrayLike<number>, token: number): number {
  const maximum = logits[indexOfMaximum(logits)] as number;
  let sum = 0;
  for (let index = 0; index < logits.length; index++) sum += Math.exp((logits[index] as number) - maximum);
  return (logits[token] as number) - maximum - Math.log(sum);
}
