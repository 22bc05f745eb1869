import { describe, expect, test } from 'vitest';
import { createSampler, type SamplingOptions } from './sampling.js';

const logits = Float32Array.of(1, 3, -2, 2.5, 0, 3, Number.NEGATIVE_INFINITY, 0.5);
const place = (step: number): { row: number; step: number; history: number[] } => ({ row: 0, step, history: [] });

/** How often each token is drawn. */
function frequencies(options: SamplingOptions, draws = 20_000): number[] {
  const sampler = createSampler(options);
  const counts = new Array<number>(logits.length).fill(0);
  for (let step = 0; step < draws; step++) {
    const { token } = sampler.draw(logits, place(step));
    counts[token] = (counts[token] as number) + 1;
  }
  return counts.map((count) => count / draws);
}

/** The probabilities a set of tokens should have. */
function softmax(tokens: readonly number[], temperature = 1): number[] {
  const weights = Array.from(logits, (logit, token) => (tokens.includes(token) ? Math.exp(logit / temperature) : 0));
  const sum = weights.reduce((a, b) => a + b);
  return weights.map((weight) => weight / sum);
}

const all = [0, 1, 2, 3, 4, 5, 6, 7];

test.each<[string, SamplingOptions, number[]]>([
  ['all tokens', {}, softmax(all)],
  ['a high temperature', { temperature: 3 }, softmax(all, 3)],
  ['a low temperature', { temperature: 0.3 }, softmax(all, 0.3)],
  ['the two most likely', { topK: 2 }, softmax([1, 5])],
  ['more than there are', { topK: 100 }, softmax(all)],
  // 1 and 5 have 0.36 each, 3 brings them to 0.94.
  ['a nucleus', { topP: 0.8 }, softmax([1, 5, 3])],
  ['a nucleus of one', { topP: 0.01 }, softmax([1])],
  ['a nucleus within the most likely', { topK: 3, topP: 0.5 }, softmax([1, 5])],
])('draws as often as softmax says from %s', (_, options, expected) => {
  // 20 000 draws: a deviation of 4·√(p(1 − p)/n) is at most 0.014.
  for (const [token, share] of frequencies(options).entries())
    expect(Math.abs(share - (expected[token] as number))).toBeLessThan(0.015);
});

test('temperature 0 takes the first of the most likely', () => {
  expect(createSampler({ temperature: 0 }).draw(logits, place(0)).token).toBe(1);
});

test('tells the log probability that the model itself gives', () => {
  const { token, logProbability } = createSampler({ temperature: 0.1, topK: 1 }).draw(logits, place(0));
  expect(logProbability).toBeCloseTo(Math.log(softmax(all)[token] as number), 6);
});

test('a penalty moves what was there down, whatever its sign', () => {
  const sampler = createSampler({ temperature: 0, repetitionPenalty: 2 });
  expect(sampler.draw(logits, { row: 0, step: 0, history: [1, 5] }).token).toBe(3);
  expect(sampler.draw([-1, -1.5], { row: 0, step: 0, history: [0, 0] }).token).toBe(1);
});

test('each row and step draws a number of its own', () => {
  const sampler = createSampler({ temperature: 50, seed: 3 });
  const wide = new Float32Array(4096);
  const drawn = [0, 1, 2, 3].flatMap((row) =>
    [0, 1, 2, 3].map((step) => sampler.draw(wide, { row, step, history: [] }).token),
  );
  expect(new Set(drawn).size).toBeGreaterThan(14);
});

describe('refuses', () => {
  test.each<SamplingOptions>([
    { temperature: -0.1 },
    { temperature: Number.NaN },
    { topK: 0 },
    { topK: 1.5 },
    { topP: 0 },
    { topP: 1.1 },
    { repetitionPenalty: 0 },
    { seed: 0.5 },
  ])('%o', (options) => {
    expect(() => createSampler(options)).toThrow(expect.objectContaining({ code: 'invalid-argument' }));
  });

  test.each([[[Number.NaN, 1]], [[Number.NEGATIVE_INFINITY]], [[Number.POSITIVE_INFINITY, 0]]])(
    'logits %o',
    (given) => {
      expect(() => createSampler().draw(given, place(0))).toThrow(expect.objectContaining({ code: 'not-finite' }));
    },
  );
});
