import {
  createReferenceBackend,
  type Graph,
  type TrainingExtension,
  tensor,
  toNumbers,
  zeros,
} from '@modelwright/core';
import { batchNormalization, dense, sequential } from '@modelwright/models';
import { expect, test } from 'vitest';
import { sgd } from '../optimizers/sgd.js';
import { createTrainer } from '../trainer/create-trainer.js';
import { linearModel } from './linear-model.cases.js';

const backend = createReferenceBackend();
const kernel = [
  [0.5, -0.3],
  [-0.2, 0.8],
];
const data = [
  [
    [1, 2],
    [0, -1],
  ],
  [
    [1, 0],
    [0, 1],
  ],
] as const;

test('a mask holds weights at zero, and may change between steps', async () => {
  const mask: TrainingExtension = {
    name: 'prune',
    slots: [
      {
        name: 'mask',
        initial: tensor(
          [
            [1, 0],
            [1, 1],
          ],
          { dtype: 'float64' },
        ),
      },
    ],
    transformWeight: ({ builder, parameter, value, slots }) =>
      parameter.name === 'dense.kernel' ? builder.op('Mul', [value, slots['mask']]) : value,
    transformUpdate: ({ builder, parameter, value, slots }) =>
      parameter.name === 'dense.kernel' ? builder.op('Mul', [value, slots['mask']]) : value,
    async afterStep({ step, executable }) {
      if (step !== 2) return;
      await executable.writeState({
        'extension.prune.mask': tensor(
          [
            [1, 0],
            [0, 1],
          ],
          { dtype: 'float64' },
        ),
      });
    },
  };
  const model = linearModel({ kernel });
  const trainer = await createTrainer(model, { backend, loss: 'mse', extensions: [mask] });
  const zeros = async (): Promise<number[]> => {
    await trainer.sync();
    return [...toNumbers(model.getWeights()['dense.kernel']!)].flatMap((weight, index) =>
      weight === 0 ? [index] : [],
    );
  };
  await trainer.trainOnBatch(data as never);
  expect(await zeros()).toEqual([1]);
  await trainer.trainOnBatch(data as never);
  await trainer.trainOnBatch(data as never);
  expect(await zeros()).toEqual([1, 2]);
});

test('an extra loss pulls outputs its way', async () => {
  const teacher: TrainingExtension = {
    name: 'teacher',
    extraLoss({ builder, inputs, outputs }) {
      const wanted = builder.op('Mul', [inputs['x'], builder.scalar(3, 'float64')]);
      const error = builder.op('Sub', [outputs['y'], wanted]);
      return builder.op('ReduceMean', [builder.op('Mul', [error, error])], { keepdims: 0 });
    },
  };
  const model = linearModel({ kernel });
  const trainer = await createTrainer(model, {
    backend,
    optimizer: sgd({ learningRate: 0.2 }),
    loss: 'mse',
    lossWeights: { y: 0 },
    extensions: [teacher],
  });
  for (let round = 0; round < 200; round++) await trainer.trainOnBatch(data as never);
  const { y } = await trainer.predict([[1, 2]]);
  expect([...toNumbers(y!)].map((each) => Number(each.toFixed(3)))).toEqual([3, 6]);
});

test('an extension trains slots of its own, on values inside the model, in place of the loss for the targets', async () => {
  let held: number[] = [];
  const probe: TrainingExtension = {
    name: 'probe',
    lossWeight: 0,
    slotsFor: () => [{ name: 'scale', initial: tensor(1, { dtype: 'float64' }), trainable: true }],
    watch: ({ graph }) => ({ product: graph.nodes[0]?.outputs[0] as never }),
    extraLoss({ builder, slots, inputs, watched }) {
      expect(Object.keys(watched)).toEqual(['product']);
      const scaled = builder.op('Mul', [inputs['x'], slots['scale']]);
      const error = builder.op('Sub', [scaled, builder.op('Mul', [inputs['x'], builder.scalar(3, 'float64')])]);
      const product = builder.op('ReduceMean', [builder.op('Mul', [watched['product'], watched['product']])], {
        keepdims: 0,
      });
      const fit = builder.op('ReduceMean', [builder.op('Mul', [error, error])], { keepdims: 0 });
      return builder.op('Add', [fit, product]);
    },
    synchronize(slots) {
      held = [...toNumbers(slots['scale']!)];
    },
  };
  const model = linearModel({ kernel });
  const optimizer = sgd({ learningRate: 0.2 });
  const trainer = await createTrainer(model, { backend, optimizer, loss: 'mse', extensions: [probe] });
  for (let round = 0; round < 100; round++) await trainer.trainOnBatch(data as never);
  await trainer.sync();
  expect(held[0]).toBeCloseTo(3, 3);
  const { y } = await trainer.predict(data[0]);
  for (const output of toNumbers(y!)) expect(output).toBeCloseTo(0, 1);
});

test('an update sees the gradient behind a mask and keeps what it makes of it', async () => {
  const movement: TrainingExtension = {
    name: 'movement',
    slots: [
      {
        name: 'mask',
        initial: tensor(
          [
            [1, 0],
            [1, 1],
          ],
          { dtype: 'float64' },
        ),
      },
      { name: 'scores', initial: zeros('float64', [2, 2]) },
    ],
    transformWeight: ({ builder, parameter, value, slots }) =>
      parameter.name === 'dense.kernel' ? builder.op('Mul', [value, slots['mask']]) : value,
    transformUpdate({ builder, parameter, value, previous, gradient, slots, setSlot }) {
      if (parameter.name !== 'dense.kernel') return value;
      setSlot('scores', builder.op('Sub', [slots['scores'], builder.op('Mul', [previous, gradient])]));
      return value;
    },
    transformAverage: ({ builder, parameter, value, slots }) =>
      parameter.name === 'dense.kernel' ? builder.op('Mul', [value, slots['mask']]) : value,
    synchronize: (slots) => {
      scores = [...toNumbers(slots['scores']!)];
    },
  };
  let scores: number[] = [];
  const model = linearModel({ kernel });
  const optimizer = sgd({ learningRate: 0.1, ema: { momentum: 0.5 } });
  const trainer = await createTrainer(model, { backend, optimizer, loss: 'mse', extensions: [movement] });
  await trainer.trainOnBatch(data as never);
  const state = await trainer.sync();
  // y = x·(w ⊙ mask) is [0.1, 1.6] and [0.2, -0.8]; the mean squared error's gradient is xᵀ(y − t)/2.
  const errors = [0.1 - 1, 1.6, 0.2, -0.8 - 1] as const;
  const wanted = [errors[0], errors[1], 2 * errors[0] - errors[2], 2 * errors[1] - errors[3]].map((each) => each / 2);
  const moved = kernel.flat().map((weight, index) => -weight * (wanted[index] as number));
  for (const [index, score] of scores.entries()) expect(score).toBeCloseTo(moved[index] as number, 6);
  expect(toNumbers(state.getWeights()['dense.kernel']!)[1]).toBeCloseTo(0, 12);
});

test('the forward graph can be rewritten before it is differentiated', async () => {
  let seen: Graph | undefined;
  const watch: TrainingExtension = {
    name: 'watch',
    transformForward(graph) {
      seen = graph;
      return graph;
    },
  };
  const trainer = await createTrainer(linearModel({ kernel }), { backend, loss: 'mse', extensions: [watch] });
  await trainer.trainOnBatch(data as never);
  expect(seen?.inputs.map(({ name }) => name)).toContain('state.dense.kernel');
  expect(seen?.outputs.map(({ name }) => name)).toEqual(['outputs.y']);
});

test('a frozen batch normalization keeps its statistics and uses them', async () => {
  const model = sequential({ inputShape: [2], layers: [batchNormalization({ name: 'bn' }), dense({ units: 2 })] });
  model.setTrainable('bn', false);
  const trainer = await createTrainer(model, { backend, optimizer: sgd({ learningRate: 0 }), loss: 'mse' });
  const before = model.getWeights();
  const { loss } = await trainer.trainOnBatch(data as never);
  await trainer.sync();
  expect(model.getWeights()).toEqual(before);
  expect((await trainer.testOnBatch(data as never))['loss']).toBeCloseTo(loss as number, 6);
});
