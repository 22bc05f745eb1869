import { createPredictor, createReferenceBackend, fromNumbers, tensor, zeros } from '@modelwright/core';
import { describe, expect, test } from 'vitest';
import { lenet5, mlp, textCnn } from '../index.js';

const backend = createReferenceBackend();

describe('mlp', () => {
  test('has Keras’s count for two hidden layers of 512 on digits', () => {
    expect(mlp({ inputShape: [784], hiddenUnits: [512, 512] }).parameterCount).toBe(669_706);
    // 784·100 + 4·100 (normalization, no bias) + 100·10 + 10
    expect(mlp({ inputShape: [28, 28, 1], hiddenUnits: [100], batchNormalization: true }).parameterCount).toBe(79_810);
  });

  test('flattens, drops and ends as asked', async () => {
    const built = mlp({ inputShape: [2, 3], hiddenUnits: [4], dropout: 0.5, classes: 1 });
    expect(built.layers.map(({ kind }) => kind)).toEqual(['input', 'flatten', 'dense', 'dropout', 'dense']);
    const predictor = await createPredictor(built, backend);
    const { output } = await predictor.predict(zeros('float32', [5, 2, 3]));
    expect(output?.shape).toEqual([5, 1]);
    expect(output?.data[0]).toBe(0.5);
  });
});

describe('lenet5', () => {
  test.each([
    ['28 × 28', {}],
    ['32 × 32', { inputShape: [32, 32, 1], padding: 'valid' as const }],
    ['channels first', { dataFormat: 'channelsFirst' as const }],
  ])('has 61,706 parameters on %s', (_, options) => {
    expect(lenet5(options).parameterCount).toBe(61_706);
  });

  test('gives the same for both data formats', async () => {
    const image = Array.from({ length: 28 * 28 }, (_, index) => Math.sin(index));
    const last = await createPredictor(lenet5({ pooling: 'max', activation: 'relu' }), backend);
    const first = await createPredictor(
      lenet5({ pooling: 'max', activation: 'relu', dataFormat: 'channelsFirst' }),
      backend,
    );
    const expected = await last.predict(fromNumbers('float32', [1, 28, 28, 1], image));
    expect(await first.predict(fromNumbers('float32', [1, 1, 28, 28], image))).toEqual(expected);
  });
});

describe('textCnn', () => {
  test('counts what the paper describes', () => {
    const built = textCnn({ vocabularySize: 1000, sequenceLength: 56 });
    expect(built.parameterCount).toBe(1000 * 300 + (3 + 4 + 5) * 300 * 100 + 3 * 100 + 300 * 2 + 2);
    expect(built.parameters.find(({ name }) => name === 'classifier.kernel')?.constraint).toMatchObject({
      kind: 'maxNorm',
      maxValue: 3,
    });
  });

  test('reads texts of any length; word vectors may be given and stay', async () => {
    const embeddings = tensor([
      [0, 0],
      [1, -1],
      [2, 3],
    ]);
    const built = textCnn({
      vocabularySize: 3,
      embeddingSize: 2,
      embeddings,
      trainableEmbeddings: false,
      windows: [1, 2],
      filters: 4,
      classes: 3,
      maxNorm: null,
    });
    expect(built.getWeights()['embedding.embeddings']).toEqual(embeddings);
    expect(built.parameters.filter(({ trainable }) => !trainable).map(({ name }) => name)).toEqual([
      'embedding.embeddings',
    ]);
    const predictor = await createPredictor(built, backend);
    const of = async (tokens: number[]) =>
      (await predictor.predict(tensor([tokens], { dtype: 'int32' })))['output']?.shape;
    expect(await of([1, 2])).toEqual([1, 3]);
    expect(await of([1, 2, 0, 1, 1])).toEqual([1, 3]);
  });

  test('a text shorter than a window is refused by name', () => {
    expect(() => textCnn({ vocabularySize: 10, sequenceLength: 4 })).toThrow("'window5'");
  });
});
