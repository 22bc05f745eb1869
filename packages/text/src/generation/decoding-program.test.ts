import {
  type createPredictor,
  createReferenceBackend,
  evaluateGraph,
  type Tensor,
  tensor,
  toNumbers,
  verify,
} from '@modelwright/core';
import { describe, expect, test } from 'vitest';
import { decodingProgram } from './decoding-program.js';
import { tinyGpt } from './tiny-gpt.cases.js';

const reference = createReferenceBackend();

describe.each([
  { name: 'learned positions', model: tinyGpt({ positions: 'learned' }) },
  { name: 'rotary positions', model: tinyGpt({ positions: 'rotary' }) },
  { name: 'shared key heads', model: tinyGpt({ positions: 'rotary', keyHeads: 2 }) },
  { name: 'a sliding window', model: tinyGpt({ positions: 'learned', window: 3 }) },
])('with $name', ({ model }) => {
  const rows = [
    [3, 1, 4, 1, 5, 9, 2, 6],
    [2, 7, 1, 8],
    [11, 0, 28, 17, 5, 3],
  ];

  test('a prompt of uneven rows, then token by token, gives the logits of the whole', async () => {
    const chunk = decodingProgram(model, { batch: 3, chunk: 5, maxLength: 16 });
    const step = decodingProgram(model, { batch: 3, maxLength: 16 });
    verify(chunk.graph);
    verify(step.graph);
    const reading = await reference.compile(chunk);
    const stepping = await reference.compile(step, { shareState: reading });
    const lengths = [5, 2, 4];
    const prompt = rows.map((row, index) => [...row.slice(0, lengths[index]), 9, 9, 9, 9, 9].slice(0, 5));
    const first = await reading.run({
      tokens: tensor(prompt, { dtype: 'int32' }),
      lengths: tensor(lengths, { dtype: 'int64' }),
    });
    await expectLogits(
      model,
      first['logits'] as Tensor,
      rows.map((row, index) => row.slice(0, lengths[index])),
    );
    for (const held of [6, 7, 8]) {
      const counts = rows.map(({ length }, index) => Number((lengths[index] as number) + held - 6 < length));
      const next = rows.map((row, index) => row[(lengths[index] as number) + held - 6] ?? 0);
      const result = await stepping.run({
        tokens: tensor(
          next.map((id) => [id]),
          { dtype: 'int32' },
        ),
        lengths: tensor(counts, { dtype: 'int64' }),
      });
      const seen = rows.map((row, index) => row.slice(0, (lengths[index] as number) + held - 5));
      await expectLogits(model, result['logits'] as Tensor, seen, counts);
    }
    const { position } = await stepping.readState(['position']);
    expect([...(position as Tensor).data].map(Number)).toEqual([8, 4, 6]);
  });
});

async function expectLogits(
  model: Parameters<typeof createPredictor>[0],
  logits: Tensor,
  rows: number[][],
  counts?: number[],
): Promise<void> {
  const vocabulary = logits.shape[1] as number;
  for (const [index, row] of rows.entries()) {
    if (counts?.[index] === 0) continue;
    const whole = evaluateGraph(model.graph, { tokens: tensor([row], { dtype: 'int32' }) })['logits'] as Tensor;
    const expected = toNumbers(whole).slice(-vocabulary);
    const given = toNumbers(logits).slice(index * vocabulary, (index + 1) * vocabulary);
    expect(Math.max(...expected.map((value, at) => Math.abs(value - (given[at] as number))))).toBeLessThan(1e-6);
  }
}
