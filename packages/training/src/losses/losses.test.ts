import { readFileSync } from 'node:fs';
import { createReferenceBackend, tensor, toNumbers } from '@modelwright/core';
import { describe, expect, test } from 'vitest';
import { sgd } from '../optimizers/sgd.js';
import { weightModel } from '../program/linear-model.cases.js';
import { createTrainer } from '../trainer/create-trainer.js';
import * as classification from './classification.js';
import type { Loss } from './loss.js';
import { toLoss } from './loss-by-name.js';
import * as regression from './regression.js';

interface LossCase {
  readonly loss: string;
  readonly options: object;
  readonly activation: 'softmax' | 'sigmoid' | null;
  readonly target: readonly number[] | readonly (readonly number[])[];
  readonly given: readonly (readonly number[])[];
  readonly sampleWeights: readonly number[];
  readonly perExample: readonly number[];
  readonly weighted: number;
  readonly gradient: readonly (readonly number[])[];
}

const cases = JSON.parse(
  readFileSync(new URL('../../fixtures/losses.json', import.meta.url), 'utf8'),
) as readonly LossCase[];

const factories = { ...regression, ...classification } as unknown as {
  readonly [name: string]: (options: object) => Loss;
};

function expectClose(actual: ArrayLike<number>, expected: readonly number[], tolerance = 1e-6): void {
  expect(actual.length).toBe(expected.length);
  for (let i = 0; i < actual.length; i++) {
    const [a, e] = [actual[i] as number, expected[i] as number];
    expect(Math.abs(a - e), `element ${i}: ${a} instead of ${e}`).toBeLessThanOrEqual(tolerance * (1 + Math.abs(e)));
  }
}

describe.each(cases.map((each, index) => [`${index} ${each.loss} ${JSON.stringify(each.options)}`, each] as const))(
  '%s',
  (_, each) => {
    const loss = (factories[each.loss] as (options: object) => Loss)(each.options);
    const x = tensor(
      each.given.map(() => [1]),
      { dtype: 'float64' },
    );
    const y = tensor(each.target as never, { dtype: loss.targets === 'classes' ? 'int64' : 'float64' });

    test('loss and gradient equal PyTorch, weighted', async () => {
      const model = weightModel(each.given, each.activation);
      const trainer = await createTrainer(model, {
        backend: createReferenceBackend(),
        loss,
        optimizer: sgd({ learningRate: 1 }),
      });
      const sampleWeights = tensor(each.sampleWeights, { dtype: 'float64' });
      const logs = await trainer.trainOnBatch({ inputs: x, targets: y, sampleWeights });
      expectClose([logs['loss'] as number], [each.weighted]);
      await trainer.sync();
      const moved = toNumbers(model.getWeights()['w']!);
      expectClose(
        each.given.flat().map((before, index) => before - (moved[index] as number)),
        each.gradient.flat(),
      );
    });

    test('the plain mean equals PyTorch', async () => {
      const trainer = await createTrainer(weightModel(each.given, each.activation), {
        backend: createReferenceBackend(),
        loss,
      });
      const { loss: mean } = await trainer.evaluate([x, y]);
      expectClose([mean as number], [each.perExample.reduce((sum, value) => sum + value, 0) / each.perExample.length]);
    });
  },
);

test('every loss has a case', () => {
  const covered = new Set(cases.map(({ loss }) => loss));
  const missing = Object.keys(factories).filter((name) => !covered.has(name));
  expect(missing).toEqual([]);
});

test('positions of the ignored class count for nothing', async () => {
  const given = [
    [2, -1, 0.5],
    [0, 1, 3],
    [1, 1, -2],
  ];
  const x = tensor(
    given.map(() => [1]),
    { dtype: 'float64' },
  );
  const trainer = await createTrainer(weightModel(given, 'softmax'), {
    backend: createReferenceBackend(),
    loss: classification.sparseCategoricalCrossentropy({ ignoreClass: -1 }),
  });
  const all = await trainer.evaluate([x, tensor([0, -1, 2], { dtype: 'int32' })]);
  const kept = await createTrainer(weightModel([given[0]!, given[2]!], 'softmax'), {
    backend: createReferenceBackend(),
    loss: 'sparseCategoricalCrossentropy',
  });
  const some = await kept.evaluate([tensor([[1], [1]], { dtype: 'float64' }), tensor([0, 2], { dtype: 'int32' })]);
  expect(all['loss']).toBeCloseTo(some['loss'] as number, 6);
});

test('an unknown name lists those that exist', () => {
  expect(() => toLoss('crossEntropy' as never)).toThrow(/no loss 'crossEntropy'; there are: meanSquaredError, /);
});
