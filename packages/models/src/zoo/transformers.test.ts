import { createPredictor, createReferenceBackend, fromNumbers, tensor, toNumbers } from '@modelwright/core';
import { expect, test } from 'vitest';
import { bertEncoder, gpt, transformer } from '../index.js';

const backend = createReferenceBackend();
const tiny = { layers: 2, heads: 2, width: 8, sequenceLength: 6, vocabularySize: 11 };

test('gpt has GPT-2’s number of weights, medium and small, and its names', () => {
  const small = gpt();
  expect(small.parameterCount).toBe(124_439_808);
  expect(gpt({ layers: 24, heads: 16, width: 1024 }).parameterCount).toBe(354_823_168);
  expect(small.parameters.map(({ name }) => name).slice(0, 6)).toEqual([
    'wte.embeddings',
    'wpe.embeddings',
    'h.0.ln_1.gamma',
    'h.0.ln_1.beta',
    'h.0.attn.c_attn.kernel',
    'h.0.attn.c_attn.bias',
  ]);
});

test('bertEncoder has the number of weights of BERT base and large, uncased', () => {
  expect(bertEncoder().parameterCount).toBe(109_482_240);
  expect(bertEncoder({ layers: 24, heads: 16, width: 1024 }).parameterCount).toBe(335_141_888);
});

test('transformer has the number of weights of torch.nn.Transformer, which normalizes the stacks, and its embedding', () => {
  expect(transformer({ normalizeFirst: true }).parameterCount).toBe(44_140_544 + 37_000 * 512);
  expect(transformer().parameterCount).toBe(44_140_544 - 2 * 2 * 512 + 37_000 * 512);
  expect(transformer({ targetVocabularySize: 1000, layers: 1 }).parameters.map(({ name }) => name)).toContain(
    'targetEmbedding.embeddings',
  );
});

test.each(['learned', 'rotary'] as const)('gpt with %s positions sees no future', async (positions) => {
  const predictor = await createPredictor(gpt({ ...tiny, positions, initializerRange: 0.5 }), backend);
  const [first, second] = await Promise.all(
    [
      [1, 2, 3, 4],
      [1, 2, 9, 4],
    ].map(async (tokens) =>
      toNumbers((await predictor.predict(fromNumbers('int32', [1, 4], tokens)))['logits'] as never),
    ),
  );
  const row = 11;
  expect(first?.slice(0, 2 * row)).toEqual(second?.slice(0, 2 * row));
  for (const step of [2, 3]) {
    expect(first?.slice(step * row, (step + 1) * row)).not.toEqual(second?.slice(step * row, (step + 1) * row));
  }
});

test('bertEncoder does not see padding', async () => {
  const predictor = await createPredictor(bertEncoder({ ...tiny, initializerRange: 0.5 }), backend);
  const run = async (tokens: readonly number[]) =>
    predictor.predict({
      tokens: fromNumbers('int32', [1, tokens.length], tokens),
      segments: fromNumbers(
        'int32',
        [1, tokens.length],
        tokens.map(() => 1),
      ),
    });
  const [short, padded] = [await run([5, 3]), await run([5, 3, 0, 0])];
  expect(padded['sequence']?.shape).toEqual([1, 4, 8]);
  const [expected, given] = [toNumbers(short['pooled'] as never), toNumbers(padded['pooled'] as never)];
  expected.forEach((number, index) => {
    expect(given[index]).toBeCloseTo(number, 6);
  });
});

test('transformer sees all of the source but its padding, and of the target what comes before', async () => {
  const { sequenceLength: _, ...sizes } = tiny;
  const predictor = await createPredictor(transformer({ ...sizes, dropout: 0.3 }), backend);
  const run = async (source: readonly number[], target: readonly number[]) => {
    const { logits } = await predictor.predict({
      source: tensor([source], { dtype: 'int32' }),
      target: tensor([target], { dtype: 'int32' }),
    });
    return toNumbers(logits as never).slice(0, 2 * 11);
  };
  const expected = await run([4, 5, 6], [1, 2, 3]);
  const [padded, later, other] = [
    await run([4, 5, 6, 0], [1, 2, 3]),
    await run([4, 5, 6], [1, 2, 7]),
    await run([4, 5, 7], [1, 2, 3]),
  ];
  expected.forEach((number, index) => {
    expect(padded[index]).toBeCloseTo(number, 6);
    expect(later[index]).toBeCloseTo(number, 6);
  });
  expect(other).not.toEqual(expected);
});

test('heads have to divide the width', () => {
  for (const make of [gpt, bertEncoder, transformer]) {
    expect(() => make({ width: 10, heads: 4 })).toThrow('a width of 10 does not divide into 4 heads');
  }
});
