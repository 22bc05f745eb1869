/** Small transformers of the zoo learn small tasks on ONNX Runtime. */
import { createBackend } from '@modelwright/backend-onnxruntime';
import { type Backend, type Model, Tensor, type TensorMap } from '@modelwright/core';
import { bertEncoder, dense, gpt, input, model, modelLayer, transformer } from '@modelwright/models';
import { adam, createTrainer, sparseCategoricalCrossentropy } from '@modelwright/training';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

let backend: Backend;
beforeAll(async () => {
  backend = await createBackend();
});
afterAll(() => backend.dispose());

const [count, steps, vocabularySize] = [16, 8, 12];
const sizes = { layers: 2, heads: 2, width: 32, vocabularySize } as const;

/** Tokens 1…11, the same in every run. */
function tokens(): readonly (readonly number[])[] {
  return Array.from({ length: count }, (_, row) =>
    Array.from({ length: steps }, (_, step) => 1 + ((row * 7 + step * (row + 3) + step * step) % (vocabularySize - 1))),
  );
}

const matrix = (rows: readonly (readonly number[])[]): Tensor =>
  new Tensor('int32', [rows.length, rows[0]?.length ?? 0], Int32Array.from(rows.flat()));

async function losses(built: Model, inputs: TensorMap, targets: Tensor, updates = 60): Promise<readonly number[]> {
  const trainer = await createTrainer(built, {
    backend,
    optimizer: adam({ learningRate: 0.01 }),
    loss: sparseCategoricalCrossentropy({ fromLogits: true }),
    seed: 3,
  });
  const values: number[] = [];
  for (let update = 0; update < updates; update++) {
    values.push((await trainer.trainOnBatch({ inputs, targets }))['loss'] as number);
  }
  await trainer.dispose();
  return values;
}

function expectLearned(values: readonly number[]): void {
  expect(values[0]).toBeGreaterThan(0.9 * Math.log(vocabularySize - 1));
  expect(values.at(-1)).toBeLessThan(0.3 * (values[0] as number));
}

describe('gpt', () => {
  test.each([
    ['learned positions', {}],
    ['rotary positions and dropout', { positions: 'rotary', dropout: 0.1 }],
  ] as const)('learns its sequences by heart: %s', async (_, options) => {
    const rows = tokens();
    const built = gpt({ ...sizes, sequenceLength: steps, initializerRange: 0.1, ...options });
    const next = matrix(rows.map((row) => row.slice(1)));
    expectLearned(await losses(built, { tokens: matrix(rows.map((row) => row.slice(0, -1))) }, next));
  });
});

test('transformer learns to turn sequences around', async () => {
  const rows = tokens();
  const turned = rows.map((row) => row.toReversed());
  const built = transformer({ ...sizes, dropout: 0, normalizeFirst: true });
  const inputs = { source: matrix(rows), target: matrix(turned.map((row) => [1, ...row.slice(0, -1)])) };
  expectLearned(await losses(built, inputs, matrix(turned)));
});

test('bertEncoder learns from its first token’s vector', async () => {
  const rows = tokens();
  const [words, segments] = ['tokens', 'segments'].map((name) => input({ name, shape: [null], dtype: 'int32' })) as [
    ReturnType<typeof input>,
    ReturnType<typeof input>,
  ];
  const encoder = modelLayer(bertEncoder({ ...sizes, sequenceLength: steps, initializerRange: 0.2 }));
  const [, pooled] = encoder.applyAll(words, segments);
  const logits = dense({ units: vocabularySize })(pooled as ReturnType<typeof input>);
  const built = model({ inputs: [words, segments], outputs: logits });
  const inputs = { tokens: matrix(rows), segments: matrix(rows.map((row) => row.map((_, step) => step % 2))) };
  const labels = new Tensor(
    'int32',
    [count],
    Int32Array.from(rows, (row) => row[3] as number),
  );
  expectLearned(await losses(built, inputs, labels));
});
