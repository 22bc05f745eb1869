import { createPredictor, createReferenceBackend, fromNumbers, type Tensor, toNumbers } from '@modelwright/core';
import { describe, expect, test } from 'vitest';
import { bidirectionalLstmCtc, seq2seq } from '../index.js';

const backend = createReferenceBackend();
const tokens = (rows: readonly (readonly number[])[]): Tensor =>
  fromNumbers('int32', [rows.length, rows[0]?.length ?? 0], rows.flat());

describe('bidirectionalLstmCtc', () => {
  test('has the weights of the paper', () => {
    expect(bidirectionalLstmCtc().parameterCount).toBe(114_662);
    const plain = bidirectionalLstmCtc({ peepholes: false });
    expect(plain.parameterCount).toBe(114_662 - 2 * 3 * 100);
  });

  test.each([true, false])('padding at the end changes nothing (peepholes: %s)', async (peepholes) => {
    const built = bidirectionalLstmCtc({ features: 2, classes: 4, units: 3, layers: 2, peepholes, seed: 3 });
    const predictor = await createPredictor(built, backend);
    const of = async (steps: number, padding: number): Promise<number[]> => {
      const numbers = Array.from({ length: 2 * steps }, (_, index) => Math.sin(index + 1));
      const sequence = fromNumbers('float32', [1, steps + padding, 2], [...numbers, ...new Array(2 * padding).fill(0)]);
      return [...toNumbers((await predictor.predict(sequence))['probabilities'] as Tensor)];
    };
    const expected = await of(5, 0);
    expect(expected).toHaveLength(20);
    const padded = await of(5, 3);
    expected.forEach((value, index) => {
      expect(padded[index]).toBeCloseTo(value, 6);
    });
  });
});

describe('seq2seq', () => {
  const small = { sourceVocabularySize: 7, targetVocabularySize: 5, embeddingSize: 4, units: 6, layers: 2 } as const;

  test('counts its layers', () => {
    const built = seq2seq({ sourceVocabularySize: 100, targetVocabularySize: 50, embeddingSize: 8, units: 16 });
    const lstmCount = (inputs: number, units: number): number => 4 * units * (inputs + units + 1);
    const encoder = 2 * lstmCount(8, 8);
    const decoder = lstmCount(8, 16);
    const attention = 16 * 16 + 32 * 16;
    expect(built.parameterCount).toBe(150 * 8 + encoder + decoder + attention + 16 * 50 + 50);
  });

  test.each(['dot', 'general', 'additive', 'none'] as const)(
    'attention %s: no step sees what is written later, and padding of the source is not read',
    async (attention) => {
      for (const cell of ['lstm', 'gru'] as const) {
        const predictor = await createPredictor(seq2seq({ ...small, attention, cell }), backend);
        const of = async (source: number[], target: number[]): Promise<number[]> => {
          const { logits } = await predictor.predict({ source: tokens([source]), target: tokens([target]) });
          expect(logits?.shape).toEqual([1, target.length, 5]);
          return [...toNumbers(logits as Tensor)];
        };
        const expected = await of([1, 2, 3], [1, 4, 2]);
        const changed = await of([1, 2, 3, 0, 0], [1, 4, 3]);
        for (let index = 0; index < 10; index++) expect(changed[index]).toBeCloseTo(expected[index] as number, 6);
        expect((await of([1, 2, 6], [1, 4, 2]))[0]).not.toBeCloseTo(expected[0] as number, 6);
      }
    },
  );

  test('an odd number of units is refused', () => {
    expect(() => seq2seq({ ...small, units: 5 })).toThrow('seq2seq: units is 5');
  });
});
