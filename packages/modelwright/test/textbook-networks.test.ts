/** The networks that every introduction begins with, trained as written on the backends that run everywhere. */
import { type Backend, fromNumbers, type Model, type Tensor } from '@modelwright/core';
import { conv2d, dense, embedding, flatten, lstm, maxPooling2d, sequential, simpleRnn } from '@modelwright/models';
import { adam, createRandom, createTrainer, fromArrays } from '@modelwright/training';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadBackend } from '../src/index.js';

interface Task {
  readonly model: () => Model;
  readonly loss: 'sparseCategoricalCrossentropy' | 'meanSquaredError' | 'binaryCrossentropy';
  readonly learningRate: number;
  readonly epochs: number;
  readonly x: Tensor;
  readonly y: Tensor;
  /** Share of its first value that the loss falls below. */
  readonly fallsTo: number;
}

const random = createRandom(5);
const uniform = (): number => random.nextUint32() / 2 ** 31 - 1;
const examples = 32;
const steps = 100;
const numbers = (count: number, make: (index: number) => number): Float64Array =>
  Float64Array.from({ length: count }, (_, index) => make(index));

/** Noise around one of ten centers. */
function clusters(shape: readonly number[]): { readonly x: Tensor; readonly y: Tensor } {
  const size = shape.reduce((product, extent) => product * extent, 1);
  const centers = Array.from({ length: 10 }, () => numbers(size, uniform));
  const labels = numbers(examples, (index) => index % 10);
  const x = numbers(
    examples * size,
    (index) => (centers[Math.floor(index / size) % 10]?.[index % size] as number) + 0.3 * uniform(),
  );
  return { x: fromNumbers('float32', [examples, ...shape], x), y: fromNumbers('int32', [examples], labels) };
}

/** Sine waves; what comes next. */
function waves(): { readonly x: Tensor; readonly y: Tensor } {
  const phases = numbers(examples, () => Math.PI * uniform());
  const at = (row: number, step: number): number => Math.sin((phases[row] as number) + 0.3 * step);
  return {
    x: fromNumbers(
      'float32',
      [examples, steps, 1],
      numbers(examples * steps, (index) => at(Math.floor(index / steps), index % steps)),
    ),
    y: fromNumbers(
      'float32',
      [examples, 1],
      numbers(examples, (row) => at(row, steps)),
    ),
  };
}

/** Words of which those below 500 say yes and the others no; the last ones decide. */
function sentences(): { readonly x: Tensor; readonly y: Tensor } {
  const answers = numbers(examples, (index) => index % 2);
  const word = (index: number): number => {
    const decides = index % steps >= steps - 10;
    return (
      random.nextBelow(500) +
      (decides ? 500 * (answers[Math.floor(index / steps)] as number) : 500 * random.nextBelow(2))
    );
  };
  return {
    x: fromNumbers('int32', [examples, steps], numbers(examples * steps, word)),
    y: fromNumbers('float32', [examples, 1], answers),
  };
}

const tasks: readonly (readonly [string, () => Task])[] = [
  [
    'dense 100-64-64-10',
    () => ({
      model: () =>
        sequential({
          inputShape: [100],
          layers: [
            dense({ units: 64, activation: 'relu' }),
            dense({ units: 64, activation: 'relu' }),
            dense({ units: 10, activation: 'softmax' }),
          ],
        }),
      loss: 'sparseCategoricalCrossentropy',
      learningRate: 0.005,
      epochs: 6,
      fallsTo: 0.2,
      ...clusters([100]),
    }),
  ],
  [
    'a convolutional network',
    () => ({
      model: () =>
        sequential({
          inputShape: [28, 28, 1],
          layers: [
            conv2d({ filters: 32, kernelSize: 3, activation: 'relu' }),
            maxPooling2d({ poolSize: 2 }),
            flatten(),
            dense({ units: 64, activation: 'relu' }),
            dense({ units: 10, activation: 'softmax' }),
          ],
        }),
      loss: 'sparseCategoricalCrossentropy',
      learningRate: 0.002,
      epochs: 3,
      fallsTo: 0.5,
      ...clusters([28, 28, 1]),
    }),
  ],
  [
    'simpleRnn(64)',
    () => ({
      model: () => sequential({ inputShape: [steps, 1], layers: [simpleRnn({ units: 64 }), dense({ units: 1 })] }),
      loss: 'meanSquaredError',
      learningRate: 0.002,
      epochs: 4,
      fallsTo: 0.3,
      ...waves(),
    }),
  ],
  [
    'embedding(1000, 64) and lstm(64)',
    () => ({
      model: () =>
        sequential({
          inputShape: [steps],
          layers: [
            embedding({ inputDim: 1000, outputDim: 64 }),
            lstm({ units: 64 }),
            dense({ units: 1, activation: 'sigmoid' }),
          ],
        }),
      loss: 'binaryCrossentropy',
      learningRate: 0.006,
      epochs: 4,
      fallsTo: 0.7,
      ...sentences(),
    }),
  ],
];

const names = ['onnxruntime', 'wasm'] as const;
const backends = new Map<string, Backend>();
beforeAll(async () => {
  for (const name of names) backends.set(name, await loadBackend({ name }));
});
afterAll(async () => {
  for (const backend of backends.values()) await backend.dispose();
});

describe.each(tasks)('%s', (_name, make) => {
  test('learns on onnxruntime and on wasm, and the same', async () => {
    const { model, loss, learningRate, epochs, fallsTo, x, y } = make();
    const histories = await Promise.all(
      names.map(async (name) => {
        const trainer = await createTrainer(model(), {
          backend: backends.get(name) as Backend,
          optimizer: adam({ learningRate }),
          loss,
        });
        const before = (await trainer.evaluate({ x, y }))['loss'] as number;
        const history = await trainer.fit(fromArrays({ x, y }), { epochs, batchSize: 16, verbose: 0 });
        const after = (await trainer.evaluate({ x, y }))['loss'] as number;
        await trainer.dispose();
        return { before, after, trace: history.values['loss'] ?? [] };
      }),
    );
    const [first, second] = histories as [(typeof histories)[0], (typeof histories)[0]];
    for (const { before, after } of histories) expect(after).toBeLessThan(fallsTo * before);
    first.trace.forEach((value, epoch) => {
      expect(second.trace[epoch]).toBeCloseTo(value as number, 3);
    });
  });
});
