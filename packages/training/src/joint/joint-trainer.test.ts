import { createReferenceBackend, fromNumbers, type Tensor, toNumbers } from '@modelwright/core';
import { batchNormalization, dense, dropout, sequential } from '@modelwright/models';
import { describe, expect, test } from 'vitest';
import { adam } from '../optimizers/adam.js';
import { sgd } from '../optimizers/sgd.js';
import { createTrainer } from '../trainer/create-trainer.js';
import { createJointTrainer } from './joint-trainer.js';

const backend = createReferenceBackend();
const wave = (shape: readonly number[], phase: number): Tensor =>
  fromNumbers(
    'float32',
    shape,
    Array.from({ length: shape.reduce((product, extent) => product * extent, 1) }, (_, index) =>
      Math.sin(3 * index + phase),
    ),
  );
const numbersOf = (weights: { readonly [name: string]: Tensor }) =>
  Object.fromEntries(Object.entries(weights).map(([name, weight]) => [name, [...toNumbers(weight)]]));

const network = (seed: number) =>
  sequential({
    name: 'network',
    seed,
    inputShape: [3],
    layers: [
      dense({ units: 6, kernelRegularizer: { l2: 0.1, l1: 0.01 } }),
      batchNormalization(),
      dropout({ rate: 0.3 }),
      dense({ units: 1, activation: 'sigmoid' }),
    ],
  });

test('a step for one model does what the trainer of one model does', async () => {
  const [x, y] = [wave([8, 3], 0), fromNumbers('float32', [8, 1], [0, 1, 1, 0, 1, 0, 0, 1])];
  const [alone, together] = [network(4), network(4)];
  const optimizer = adam({ learningRate: 0.05, weightDecay: 0.01, clipNorm: 1 });
  const trainer = await createTrainer(alone, { backend, optimizer, loss: 'binaryCrossentropy', seed: 9 });
  const joint = createJointTrainer({
    backend,
    models: { network: together },
    seed: 9,
    steps: {
      fit: {
        trains: 'network',
        optimizer,
        loss: ({ apply, meanLoss, input }) => meanLoss('binaryCrossentropy', apply('network', input('x')), input('y')),
      },
    },
  });
  for (let step = 0; step < 5; step++) {
    const { loss } = await trainer.trainOnBatch({ x, y });
    expect((await joint.run('fit', { x, y })).loss).toBeCloseTo(loss as number, 6);
  }
  await trainer.sync();
  await joint.sync();
  const expected = numbersOf(alone.getWeights());
  for (const [name, numbers] of Object.entries(numbersOf(together.getWeights()))) {
    for (const [index, number] of numbers.entries()) {
      expect(number, name).toBeCloseTo((expected[name] as number[])[index] as number, 6);
    }
  }
  expect(joint.count('fit')).toBe(5);
});

describe('models that play against each other', () => {
  const painter = () => sequential({ inputShape: [2], seed: 1, layers: [dense({ units: 3 }), batchNormalization()] });
  const trainerOf = () =>
    createJointTrainer({
      backend,
      models: { painter: painter(), judge: network(2) },
      steps: {
        judge: {
          trains: 'judge',
          optimizer: sgd({ learningRate: 0.1, momentum: 0.9 }),
          loss: ({ apply, meanLoss, arithmetic, input }) => {
            const real = meanLoss('binaryCrossentropy', apply('judge', input('real')), 1);
            const fake = apply('painter', input('noise'));
            const loss = arithmetic.add(real, meanLoss('binaryCrossentropy', apply('judge', fake), 0));
            return { loss, outputs: { fake } };
          },
        },
        painter: {
          trains: ['painter'],
          loss: ({ apply, meanLoss, input }) =>
            meanLoss('binaryCrossentropy', apply('judge', apply('painter', input('noise'))), 1),
        },
      },
    });
  const batch = { real: wave([4, 3], 1), noise: wave([4, 2], 2) };

  test('a step changes the models that it trains, running statistics too, and no other', async () => {
    const trainer = trainerOf();
    const { painter: p, judge: j } = trainer.models;
    const [painterBefore, judgeBefore] = [numbersOf(p.getWeights()), numbersOf(j.getWeights())];
    const { outputs } = await trainer.run('judge', batch);
    expect(outputs['fake']?.shape).toEqual([4, 3]);
    await trainer.sync();
    expect(numbersOf(p.getWeights())).toEqual(painterBefore);
    const judged = numbersOf(j.getWeights());
    for (const name of Object.keys(judged)) expect(judged[name], name).not.toEqual(judgeBefore[name]);
    await trainer.run('painter', { noise: batch.noise });
    await trainer.sync();
    expect(numbersOf(j.getWeights())).toEqual(judged);
    const painted = numbersOf(p.getWeights());
    for (const name of Object.keys(painted)) {
      // What is added before a normalization cannot be learned.
      if (name !== 'dense.bias') expect(painted[name], name).not.toEqual(painterBefore[name]);
    }
  });

  test('all steps, batches of any size and predictions see the same weights', async () => {
    const trainer = trainerOf();
    const shown = async () => [...toNumbers((await trainer.predict('painter', batch.noise))['output'] as Tensor)];
    const before = await shown();
    await trainer.run('judge', batch);
    expect(await shown()).toEqual(before);
    await trainer.run('painter', { noise: batch.noise });
    const after = await shown();
    expect(after).not.toEqual(before);
    await trainer.run('painter', { noise: wave([7, 2], 5) });
    expect(await shown()).not.toEqual(after);
    await trainer.sync();
    const alone = await createTrainer(trainer.models.painter, { backend });
    expect([...toNumbers((await alone.predict(batch.noise))['output'] as Tensor)]).toEqual(await shown());
    await trainer.dispose();
  });

  test('mistakes are named', async () => {
    const trainer = trainerOf();
    await expect(trainer.run('jury' as 'judge', batch)).rejects.toThrow(
      "there is no step 'jury'; there are: judge, painter",
    );
    const wrong = createJointTrainer({
      backend,
      models: { network: network(1) },
      steps: {
        other: { trains: 'network', loss: ({ apply, input }) => apply('netwerk' as 'network', input('x')) },
        idle: { trains: 'network', loss: ({ arithmetic, input }) => arithmetic.mean(input('x')) },
      },
    });
    await expect(wrong.run('other', { x: batch.real })).rejects.toThrow(
      "there is no model 'netwerk'; there are: network",
    );
    await expect(wrong.run('idle', { x: batch.real })).rejects.toThrow("step 'idle': its loss depends on no weight");
    await expect(wrong.run('idle', { y: batch.real })).rejects.toThrow("reads 'x', which it is not fed; it is fed: y");
    const optimizer = adam({ gradientAccumulationSteps: 2 });
    const steps = { slow: { trains: 'network', optimizer, loss: () => undefined as never } } as const;
    expect(() => createJointTrainer({ backend, models: { network: network(1) }, steps })).toThrow("step 'slow' cannot");
  });
});

test('a penalty on gradients is differentiated once more', async () => {
  const critic = () =>
    sequential({ seed: 5, inputShape: [2], layers: [dense({ units: 3, activation: 'tanh' }), dense({ units: 1 })] });
  const x = wave([4, 2], 1);
  const lossOf = async (weights: { readonly [name: string]: Tensor }, learningRate: number) => {
    const model = critic();
    model.setWeights(weights);
    const trainer = createJointTrainer({
      backend,
      models: { critic: model },
      steps: {
        penalty: {
          trains: 'critic',
          optimizer: sgd({ learningRate }),
          // (‖∂critic/∂x‖ − 1)², as in arXiv:1704.00028.
          loss: ({ apply, gradients, arithmetic: a, input }) => {
            const [gradient] = gradients(apply('critic', input('x')), [input('x')]);
            const norm = a.squareRoot(a.sum(a.square(gradient as never), [1]));
            return a.mean(a.square(a.subtract(norm, 1)));
          },
        },
      },
    });
    const { loss } = await trainer.run('penalty', { x });
    await trainer.sync();
    return { loss, weights: model.getWeights() };
  };
  const start = critic().getWeights();
  const rate = 0.1;
  const { weights: stepped } = await lossOf(start, rate);
  const kernel = start['dense.kernel'] as Tensor;
  const numbers = toNumbers(kernel);
  // What the step took for the gradient is the slope of the loss.
  for (const index of [0, 3, 5]) {
    const shifted = async (by: number): Promise<number> => {
      const moved = fromNumbers(
        'float32',
        kernel.shape,
        Array.from(numbers, (value, at) => value + (at === index ? by : 0)),
      );
      return (await lossOf({ ...start, 'dense.kernel': moved }, 0)).loss;
    };
    const slope = ((await shifted(0.01)) - (await shifted(-0.01))) / 0.02;
    const taken = ((numbers[index] as number) - (toNumbers(stepped['dense.kernel'] as Tensor)[index] as number)) / rate;
    expect(taken).toBeCloseTo(slope, 3);
  }
});
