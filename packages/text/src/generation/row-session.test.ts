import { createBackend as createOnnxRuntime } from '@modelwright/backend-onnxruntime';
import {
  type Backend,
  createReferenceBackend,
  evaluateGraph,
  type Model,
  type Tensor,
  tensor,
  toNumbers,
} from '@modelwright/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RowSession } from './row-session.js';
import { tinyGpt } from './tiny-gpt.cases.js';

const maxLength = 32;
const backends: { readonly [name: string]: () => Promise<Backend> } = {
  reference: async () => createReferenceBackend(),
  'a backend without symbolic shapes': async () => {
    const backend = createReferenceBackend();
    return { ...backend, capabilities: { ...backend.capabilities, symbolicShapes: false } };
  },
  'onnxruntime native': () => createOnnxRuntime({ engine: 'native' }),
  'onnxruntime binding': () => createOnnxRuntime({ engine: 'binding' }),
};

/** The logits after the last of `ids`, by the whole model. */
function wholeLogits(model: Model, ids: readonly number[]): number[] {
  const logits = evaluateGraph(model.graph, { tokens: tensor([ids], { dtype: 'int32' }) })['logits'] as Tensor;
  return Array.from(toNumbers(logits)).slice(-(logits.shape[2] as number));
}

describe.each(Object.entries(backends))('on %s', (_, open) => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await open();
  });
  afterAll(() => backend.dispose());

  test.each([
    { name: 'learned positions', model: tinyGpt({ positions: 'learned' }), mostDuplicatedBytes: 2 ** 20 },
    {
      name: 'rotary positions, shared key heads',
      model: tinyGpt({ positions: 'rotary', keyHeads: 2 }),
      mostDuplicatedBytes: 0,
    },
  ])('rows join, leave and go back between steps: $name', async ({ model, mostDuplicatedBytes }) => {
    const session = await RowSession.open(model, {
      backend,
      batch: 4,
      maxLength,
      longestChunk: 6,
      mostDuplicatedBytes,
    });
    const held: number[][] = [[], [], [], []];
    const feed = async (given: readonly (readonly [row: number, tokens: readonly number[]])[]): Promise<void> => {
      const before = held.map((_, row) => session.heldBy(row));
      const results = await session.feed(given.map(([row, tokens]) => ({ row, tokens })));
      for (const [row, tokens] of given) {
        held[row]?.push(...tokens.slice(0, session.heldBy(row) - (before[row] as number)));
        const expected = wholeLogits(model, held[row] as number[]);
        const given = results.get(row) as Float32Array;
        expect(Math.max(...expected.map((value, at) => Math.abs(value - (given[at] as number))))).toBeLessThan(2e-5);
      }
      expect(results.size).toBe(given.length);
    };
    await feed([[2, [3, 1, 4]]]);
    await feed([
      [2, [1]],
      [0, [5, 9, 2, 6, 5, 3, 5, 8]],
    ]);
    expect(session.heldBy(0)).toBe(6);
    await feed([
      [0, [5, 8]],
      [2, [7]],
      [1, [11]],
    ]);
    await feed([
      [0, [1]],
      [1, [2]],
      [2, [3]],
      [3, [4]],
    ]);
    // Two that are read together, and one that is not.
    for (const row of [0, 1, 2]) {
      session.rewind(row, 1);
      held[row]?.splice(1);
    }
    await feed([
      [0, [4, 4, 2]],
      [1, [9, 8, 7, 6]],
      [2, [1, 2, 3, 4, 5, 6]],
    ]);
    session.rewind(2, 4);
    held[2]?.splice(4);
    session.rewind(0, 0);
    held[0] = [];
    await feed([
      [0, [28]],
      [1, [0]],
      [2, [17]],
    ]);
    await feed([
      [0, [6, 6, 6]],
      [3, [9]],
    ]);
    const before = session.heldBy(1);
    const others = Array.from({ length: maxLength - before }, (_, index) => (index * 7) % 29);
    // To the end of the buffers, in pieces that no padding reaches beyond.
    for (let from = 0; from < others.length; from = session.heldBy(1) - before) {
      await feed([[1, others.slice(from)]]);
    }
    expect(session.heldBy(1)).toBe(maxLength);
    await feed([
      [0, [1]],
      [3, [2]],
    ]);
    expect(() => session.rewind(3, 20)).toThrow(/row 3 holds/);
    await session.dispose();
  });
});
