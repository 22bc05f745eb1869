import { Tensor, tensor } from '@modelwright/core';
import { describe, expect, test } from 'vitest';
import { ctcBeamSearch } from './ctc-beam-search.js';
import { ctcGreedy } from './ctc-greedy.js';
import { editDistance } from './edit-distance.js';
import { characterErrorRate, wordErrorRate } from './error-rates.js';

/** Probabilities `[batch, steps, classes]` that depend on `seed` alone. */
function randomScores(seed: number, [batch, steps, classes]: readonly [number, number, number]): Tensor {
  let state = seed;
  const powers = Float64Array.from({ length: batch * steps * classes }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.exp((4 * state) / 2 ** 32);
  });
  for (let start = 0; start < powers.length; start += classes) {
    const step = powers.subarray(start, start + classes);
    const total = step.reduce((sum, power) => sum + power, 0);
    for (let index = 0; index < classes; index++) step[index] = (step[index] as number) / total;
  }
  return new Tensor('float64', [batch, steps, classes], powers);
}

/** What a path spells: repeats once, blanks not at all. */
function spelt(path: readonly number[], blank: number): readonly number[] {
  return path.filter((label, step) => label !== blank && label !== path[step - 1]);
}

/** Probability of every reading, summed over all paths, one by one. */
function everyReading(scores: Tensor, row: number, blank: number): Map<string, number> {
  const [, steps, classes] = scores.shape as [number, number, number];
  const readings = new Map<string, number>();
  for (let index = 0; index < classes ** steps; index++) {
    const path = Array.from({ length: steps }, (_, step) => Math.floor(index / classes ** step) % classes);
    const probability = path.reduce(
      (product, label, step) => product * (scores.data[(row * steps + step) * classes + label] as number),
      1,
    );
    const labels = String(spelt(path, blank));
    readings.set(labels, (readings.get(labels) ?? 0) + probability);
  }
  return readings;
}

describe('CTC beam search', () => {
  test.each([
    [1, 0],
    [2, 2],
    [3, 1],
  ])('with a beam wide enough gives every reading its exact probability (seed %i, blank %i)', (seed, blank) => {
    const scores = randomScores(seed, [2, 6, 3]);
    const found = ctcBeamSearch(scores, { blank, beamWidth: 1000, topPaths: 1000 });
    found.forEach((readings, row) => {
      const expected = everyReading(scores, row, blank);
      expect(readings.length).toBe(expected.size);
      for (const { labels, logProbability } of readings) {
        expect(Math.exp(logProbability)).toBeCloseTo(expected.get(String(labels)) as number, 12);
      }
      expect(readings.map(({ logProbability }) => logProbability)).toEqual(
        readings.map(({ logProbability }) => logProbability).sort((a, b) => b - a),
      );
    });
  });

  test('finds a reading that no single path shows', () => {
    // Blank is the likeliest class of both steps, yet "a" has more paths: a_, _a and aa.
    const scores = tensor([
      [
        [0.6, 0.4],
        [0.6, 0.4],
      ],
    ]);
    expect(ctcGreedy(scores)[0]?.labels).toEqual([]);
    expect(ctcBeamSearch(scores)[0]?.[0]?.labels).toEqual([1]);
  });

  test('takes logits and logarithms, and heeds lengths', () => {
    const probabilities = randomScores(5, [2, 5, 4]);
    const [beam] = [{ beamWidth: 50, lengths: [5, 3] }];
    const expected = ctcBeamSearch(probabilities, beam);
    const logarithms = new Tensor('float64', probabilities.shape, probabilities.data.map(Math.log as never) as never);
    const shifted = new Tensor(
      'float64',
      probabilities.shape,
      (logarithms.data as Float64Array).map((each) => each + 7),
    );
    for (const [scores, kind] of [
      [logarithms, 'logarithms'],
      [shifted, 'logits'],
    ] as const) {
      ctcBeamSearch(scores, { ...beam, scores: kind }).forEach(([reading], row) => {
        expect(reading?.labels).toEqual(expected[row]?.[0]?.labels);
        expect(reading?.logProbability).toBeCloseTo(expected[row]?.[0]?.logProbability as number, 9);
      });
    }
    const short = new Tensor('float64', [1, 3, 4], (probabilities.data as Float64Array).slice(20, 32));
    expect(ctcBeamSearch(short, { beamWidth: 50 })[0]).toEqual(expected[1]);
  });

  test('lets a language model change the reading', () => {
    const scores = randomScores(9, [1, 4, 3]);
    const [plain] = ctcBeamSearch(scores, { beamWidth: 50 })[0] ?? [];
    const forbidden = plain?.labels[0] as number;
    const [other] =
      ctcBeamSearch(scores, { beamWidth: 50, languageScore: (_, next) => (next === forbidden ? -100 : 0) })[0] ?? [];
    expect(other?.labels).not.toContain(forbidden);
  });

  test('wrong shapes and beams are refused', () => {
    expect(() => ctcBeamSearch(tensor([[1]]))).toThrow(/\[batch, steps, classes\]/);
    expect(() => ctcGreedy(tensor([[[1]]]), { blank: 1 })).toThrow(/the blank 1/);
    expect(() => ctcBeamSearch(tensor([[[1]]]), { beamWidth: 0 })).toThrow(/beamWidth 0/);
  });
});

test('CTC greedy reading takes the best class of each step', () => {
  const scores = randomScores(4, [3, 8, 4]);
  ctcGreedy(scores, { blank: 3 }).forEach(({ labels, logProbability }, row) => {
    const steps = Array.from({ length: 8 }, (_, step) => [
      ...(scores.data as Float64Array).subarray((row * 8 + step) * 4, (row * 8 + step + 1) * 4),
    ]);
    const path = steps.map((step) => step.indexOf(Math.max(...step)));
    expect(labels).toEqual(spelt(path, 3));
    expect(Math.exp(logProbability)).toBeCloseTo(
      steps.reduce((product, step) => product * Math.max(...step), 1),
      12,
    );
  });
});

describe('edit distance', () => {
  test.each([
    ['kitten', 'sitting', 3],
    ['', 'abc', 3],
    ['flaw', 'lawn', 2],
    ['🙂a', 'a', 1],
  ])('of %s and %s', (a, b, distance) => {
    expect(editDistance(a, b)).toBe(distance);
    expect(editDistance(b, a)).toBe(distance);
  });

  test('counts elements of any kind', () => {
    expect(editDistance(['the', 'cat'], ['the', 'big', 'cat'])).toBe(1);
    expect(editDistance(Int32Array.of(1, 2), [2])).toBe(1);
  });

  test('as a share of the references', () => {
    expect(characterErrorRate(['abcd', 'ef'], ['abxd', 'ef'])).toBeCloseTo(1 / 6);
    expect(wordErrorRate('the cat sat', 'the  cat sat down')).toBeCloseTo(1 / 3);
    expect(wordErrorRate('', '')).toBe(0);
    expect(() => wordErrorRate(['a'], [])).toThrow(/0 readings were given for 1 references/);
  });
});
