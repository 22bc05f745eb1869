import { readFileSync } from 'node:fs';
import { createReferenceBackend, tensor, toNumbers } from '@modelwright/core';
import { expect, test } from 'vitest';
import { linearModel } from '../program/linear-model.cases.js';
import { createTrainer } from '../trainer/create-trainer.js';
import { adam, adamax, adamW, nadam } from './adam.js';
import { adadelta, adagrad, lion, rmsprop } from './adaptive.js';
import type { Optimizer } from './optimizer.js';
import { optimizerNames, toOptimizer } from './optimizer-by-name.js';
import { sgd } from './sgd.js';

interface Fixture {
  readonly x: number[][];
  readonly y: number[][];
  readonly kernel: number[][];
  readonly bias: number[];
  readonly cases: readonly {
    readonly optimizer: string;
    readonly options: object;
    readonly oracle: string;
    readonly trace: readonly (readonly [readonly number[][], readonly number[]])[];
  }[];
}

const fixture = JSON.parse(readFileSync(new URL('../../fixtures/optimizers.json', import.meta.url), 'utf8')) as Fixture;
const factories: { readonly [name: string]: (options: object) => Optimizer } = {
  sgd,
  adam,
  adamW,
  adamax,
  nadam,
  rmsprop,
  adagrad,
  adadelta,
  lion,
};
const batch = [tensor(fixture.x, { dtype: 'float64' }), tensor(fixture.y, { dtype: 'float64' })] as const;

test.each(
  fixture.cases.map((each) => [`${each.optimizer} ${JSON.stringify(each.options)} (${each.oracle})`, each] as const),
)('%s takes the same steps', async (_, { optimizer, options, trace }) => {
  const model = linearModel(fixture);
  const trainer = await createTrainer(model, {
    backend: createReferenceBackend(),
    optimizer: (factories[optimizer] as (options: object) => Optimizer)(options),
    loss: 'meanSquaredError',
  });
  for (const [kernel, bias] of trace) {
    await trainer.trainOnBatch(batch);
    await trainer.sync();
    const weights = model.getWeights();
    const actual = [...toNumbers(weights['dense.kernel']!), ...toNumbers(weights['dense.bias']!)];
    const expected = [...kernel.flat(), ...bias];
    for (const [index, value] of actual.entries()) expect(value).toBeCloseTo(expected[index] as number, 8);
  }
});

test('every optimizer has a case', () => {
  expect(new Set(fixture.cases.map(({ optimizer }) => optimizer))).toEqual(new Set(optimizerNames));
});

test('an unknown name lists those that exist', () => {
  expect(() => toOptimizer('adamw' as never)).toThrow(/no optimizer 'adamw'; there are: sgd, adam, adamW/);
});
