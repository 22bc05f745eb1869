import { createReferenceBackend, tensor } from '@modelwright/core';
import { expect, test } from 'vitest';
import { fromArrays, fromGenerator } from '../data/index.js';
import { linearModel } from '../program/linear-model.cases.js';
import { createTrainer, type TrainerOptions } from './create-trainer.js';
import type { Trainer } from './trainer.js';

const backend = createReferenceBackend();
const kernel = [
  [0.1, -0.2, 0.3],
  [0.2, 0.1, -0.1],
];
const x = [
  [1, 2],
  [3, 4],
];

async function trainer(options: Partial<TrainerOptions> = {}): Promise<Trainer> {
  const model = linearModel({ kernel, activation: 'softmax', dtype: 'float32' });
  return createTrainer(model, { backend, loss: 'sparseCategoricalCrossentropy', ...options });
}

async function failure(work: Promise<unknown>): Promise<{ readonly code: string; readonly message: string }> {
  return work.then(
    () => ({ code: 'none', message: 'it did not fail' }),
    (error: { code: string; message: string }) => ({ code: error.code, message: error.message }),
  );
}

const quiet = { verbose: 0 } as const;

test.each([
  [
    'a missing backend',
    async () => createTrainer(linearModel({ kernel }), {} as never),
    'invalid-argument',
    /needs a backend/,
  ],
  [
    'an unknown loss',
    () => trainer({ loss: 'crossentropy' as never }),
    'invalid-argument',
    /no loss 'crossentropy'; there are: meanSquaredError/,
  ],
  [
    'an unknown metric',
    () => trainer({ metrics: ['acuracy'] }),
    'invalid-argument',
    /no metric 'acuracy'; there are: accuracy/,
  ],
  [
    'an unknown optimizer',
    () => trainer({ optimizer: 'Adam' as never }),
    'invalid-argument',
    /no optimizer 'Adam'; there are: sgd, adam/,
  ],
  [
    'half an accumulation step',
    () => trainer({ gradientAccumulationSteps: 0.5 }),
    'invalid-argument',
    /gradientAccumulationSteps is 0.5; an integer ≥ 1 is expected/,
  ],
  [
    'an unknown output',
    () => trainer({ loss: { logits: 'mse' } }),
    'invalid-argument',
    /no output 'logits'; it has: y/,
  ],
  [
    'no loss',
    async () => (await trainer({ loss: undefined as never })).fit([x], quiet),
    'invalid-argument',
    /no loss to train for/,
  ],
  [
    'an input of a wrong shape',
    async () => (await trainer()).fit([[[1, 2, 3]], [0]], quiet),
    'shape-mismatch',
    /input 'x' of model 'linear' has shape \[batch,2\], but the batch is \[1,3\]/,
  ],
  [
    'a missing batch axis',
    async () =>
      (await trainer()).trainOnBatch([
        [1, 2],
        [0, 1],
      ]),
    'shape-mismatch',
    /is the batch axis missing\?/,
  ],
  [
    'text for numbers',
    async () =>
      (await trainer()).trainOnBatch({ inputs: tensor(['a', 'b'], { dtype: 'string', shape: [1, 2] }), targets: [0] }),
    'dtype-mismatch',
    /input 'x' of model 'linear' is float32, but the batch is string/,
  ],
  [
    'labels as text',
    async () =>
      (await trainer()).trainOnBatch({
        inputs: x,
        targets: tensor(['cat', 'dog'], { dtype: 'string' }),
      }),
    'dtype-mismatch',
    /targets of output 'y' are text where there must be numbers/,
  ],
  [
    'a label beyond the classes',
    async () => (await trainer()).fit([x, [0, 3]], { ...quiet, shuffle: false }),
    'value-out-of-range',
    /label 3 of output 'y' \(example 1 of the batch\) is no class; the model has 3: 0…2/,
  ],
  ['a negative label', async () => (await trainer()).fit([x, [-1, 0]], quiet), 'value-out-of-range', /label -1/],
  [
    'one-hot targets for integer labels',
    async () =>
      (await trainer()).fit(
        [
          x,
          [
            [1, 0, 0],
            [0, 1, 0],
          ],
        ],
        quiet,
      ),
    'shape-mismatch',
    /takes \[2\]\. For one-hot targets take 'categoricalCrossentropy'/,
  ],
  [
    'integer labels for one-hot targets',
    async () => (await trainer({ loss: 'categoricalCrossentropy' })).fit([x, [0, 1]], quiet),
    'shape-mismatch',
    /takes \[2,3\]\. For integer labels take 'sparseCategoricalCrossentropy'/,
  ],
  [
    'targets of another length',
    async () => (await trainer()).trainOnBatch([x, [0]]),
    'shape-mismatch',
    /targets of output 'y' have shape \[1\], but the batch has 2 examples/,
  ],
  [
    'an empty data set',
    async () =>
      (await trainer()).fit(
        fromGenerator(function* () {}),
        quiet,
      ),
    'invalid-data',
    /data set is empty/,
  ],
  ['empty arrays', async () => (await trainer()).fit({ x: [], y: [] }, quiet), 'invalid-data', /empty/],
  ['no targets to evaluate by', async () => (await trainer()).evaluate([x]), 'invalid-data', /the data has no targets/],
  [
    'an unknown input',
    async () => (await trainer()).predict({ image: x }),
    'invalid-argument',
    /no input 'image'; there are: x/,
  ],
  [
    'batchSize for batches',
    async () => (await trainer()).fit(fromArrays({ x, y: [0, 1] }).batch(2), { ...quiet, batchSize: 2 }),
    'invalid-argument',
    /batched already/,
  ],
  [
    'a missing checkpoint',
    async () => (await trainer()).fit([x, [0, 1]], { ...quiet, resumeFrom: '/nowhere/checkpoint' }),
    'file-unreadable',
    /cannot read '\/nowhere\/checkpoint.json': it does not exist/,
  ],
  [
    'a folder that does not exist',
    async () => (await trainer()).saveCheckpoint('/nowhere/checkpoint'),
    'file-unwritable',
    /cannot write '\/nowhere\/checkpoint.*the folder does not exist/,
  ],
] as const)('%s is told clearly', async (_, work, code, message) => {
  expect(await failure(work())).toEqual({ code, message: expect.stringMatching(message) });
});
