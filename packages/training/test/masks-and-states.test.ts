/** What a model's layers say of steps and of earlier batches, as training and evaluation take it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createBackend } from '@modelwright/backend-onnxruntime';
import {
  createPredictor,
  createReferenceBackend,
  exposeStates,
  initialStates,
  type Tensor,
  toNumbers,
} from '@modelwright/core';
import {
  customLayer,
  dense,
  embedding,
  input,
  type LayeredModel,
  lstm,
  masking,
  model,
  sequential,
} from '@modelwright/models';
import { readOnnx, writeOnnx } from '@modelwright/onnx';
import { callback, createTrainer, customLoss, sgd, sparseCategoricalCrossentropy } from '@modelwright/training';
import { describe, expect, test } from 'vitest';

const backend = createReferenceBackend();
const numbers = (tensor: Tensor | undefined): readonly number[] => [...toNumbers(tensor as Tensor)];

describe('masks', () => {
  // Two sequences of three steps, of which 2 and 1 count; the model doubles its input.
  const x = [
    [[1], [2], [0]],
    [[4], [0], [0]],
  ];
  const y = [
    [[1], [1], [9]],
    [[3], [9], [9]],
  ];
  const doubling = (): LayeredModel =>
    sequential({
      inputShape: [3, 1],
      layers: [masking(), dense({ units: 1, useBias: false, kernelInitializer: () => [2] })],
    });
  const squares = [(2 - 1) ** 2, (4 - 1) ** 2, (8 - 3) ** 2] as const;
  const sum = squares.reduce((total, square) => total + square);

  test('loss and metrics are means of the steps that count', async () => {
    const trainer = await createTrainer(doubling(), { backend, loss: 'mse', metrics: ['mse', 'mae'] });
    const logs = await trainer.evaluate({ x, y });
    expect(logs['loss']).toBeCloseTo(sum / 3, 5);
    expect(logs['mse']).toBeCloseTo(sum / 3, 5);
    expect(logs['mae']).toBeCloseTo((1 + 3 + 5) / 3, 5);
  });

  test('so are the gradients', async () => {
    const built = doubling();
    const trainer = await createTrainer(built, { backend, loss: 'mse', optimizer: sgd({ learningRate: 1 }) });
    await trainer.trainOnBatch({ x, y });
    await trainer.sync();
    const gradient = (2 * (1 * (2 - 1) + 2 * (4 - 1) + 4 * (8 - 3))) / 3;
    expect(numbers(Object.values(built.getWeights())[0])).toEqual([expect.closeTo(2 - gradient, 4)]);
  });

  test('sample weights scale what counts, for examples and for steps', async () => {
    const trainer = await createTrainer(doubling(), { backend, loss: 'mse', metrics: [], weightedMetrics: ['mse'] });
    const byExample = await trainer.evaluate({ x, y, sampleWeight: [1, 0.5] });
    expect(byExample['loss']).toBeCloseTo((squares[0] + squares[1] + 0.5 * squares[2]) / 3, 5);
    const byStep = await trainer.evaluate({
      x,
      y,
      sampleWeight: [
        [1, 3, 7],
        [0.5, 7, 7],
      ],
    });
    expect(byStep['loss']).toBeCloseTo((squares[0] + 3 * squares[1] + 0.5 * squares[2]) / 3, 5);
    expect(byStep['mse']).toBeCloseTo((squares[0] + 3 * squares[1] + 0.5 * squares[2]) / 4.5, 5);
  });

  test('an ignored class is left out beside the mask', async () => {
    const classifier = sequential({
      inputShape: [3],
      layers: [embedding({ inputDim: 4, outputDim: 3, maskZero: true, embeddingsInitializer: 'ones' })],
    });
    const loss = sparseCategoricalCrossentropy({ fromLogits: true, ignoreClass: -1 });
    const trainer = await createTrainer(classifier, { backend, loss, metrics: ['accuracy'] });
    const logs = await trainer.evaluate({
      x: [
        [1, 2, 0],
        [0, 0, 0],
      ],
      y: [
        [0, -1, 1],
        [1, 1, 1],
      ],
    });
    expect(logs['loss']).toBeCloseTo(Math.log(3), 5);
    // Of the two steps that the mask leaves, the first is right; accuracy knows of no ignored class.
    expect(logs['accuracy']).toBeCloseTo(0.5, 6);
  });

  test('nothing but padding gives a loss of 0', async () => {
    const trainer = await createTrainer(doubling(), { backend, loss: 'mse' });
    expect((await trainer.evaluate({ x: [[[0], [0], [0]]], y: [[[1], [1], [1]]] }))['loss']).toBe(0);
  });

  test('a loss of whole sequences gets the mask', async () => {
    const steps = customLoss('steps', ({ arithmetic: a, prediction, mask }) =>
      a.add(a.sum(a.cast(mask as never, 'float32'), [1]), a.multiply(a.sum(prediction.value, [1, 2]), 0)),
    );
    const trainer = await createTrainer(doubling(), { backend, loss: steps });
    expect((await trainer.evaluate({ x, y }))['loss']).toBeCloseTo((2 + 1) / 2, 6);
  });
});

describe('states', () => {
  /** Gives the sum of all inputs so far; the weight `shift` is there to be trained. */
  function summing(): LayeredModel {
    const sumUp = customLayer(
      (context, x) => {
        const { builder } = context;
        const state = context.addState({ name: 'sum', dtype: 'float32', shape: [2, 1] });
        const sum = builder.op('Add', [state.value, x]);
        state.update(sum);
        const shift = context.addWeight({ name: 'shift', shape: [1], initializer: 'zeros' });
        return builder.op('Add', [sum, shift]);
      },
      { kind: 'sumUp' },
    );
    const x = input({ shape: [1], batchSize: 2 });
    return model({ inputs: { x }, outputs: { y: sumUp(x) } });
  }
  const batch = { x: [[1], [2]] };

  test('go on from run to run of a predictor until they are reset', async () => {
    const predictor = await createPredictor(summing(), backend);
    expect(numbers((await predictor.predict(batch))['y'])).toEqual([1, 2]);
    expect(numbers((await predictor.predict(batch))['y'])).toEqual([2, 4]);
    await predictor.resetStates();
    expect(numbers((await predictor.predict(batch))['y'])).toEqual([1, 2]);
  });

  test('are shared by prediction, evaluation and training', async () => {
    const trainer = await createTrainer(summing(), { backend, loss: 'mse', optimizer: sgd({ learningRate: 0 }) });
    const predicted = async (): Promise<readonly number[]> => numbers((await trainer.predict(batch.x))['y']);
    expect(await predicted()).toEqual([1, 2]);
    await trainer.evaluate({ ...batch, y: [[0], [0]] });
    expect(await predicted()).toEqual([3, 6]);
    const logs = await trainer.trainOnBatch({ ...batch, y: [[0], [0]] });
    expect(logs['loss']).toBeCloseTo((4 ** 2 + 8 ** 2) / 2, 5);
    expect(await predicted()).toEqual([5, 10]);
    await trainer.resetStates();
    expect(await predicted()).toEqual([1, 2]);
  });

  test('are part of a checkpoint, and begin anew when a callback says so', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'states-'));
    const options = { backend, loss: 'mse', optimizer: sgd({ learningRate: 0 }) } as const;
    const data = { x: [[1], [2], [1], [2]], y: [[0], [0], [0], [0]] };
    const fit = { batchSize: 2, verbose: 0 } as const;
    const first = await createTrainer(summing(), options);
    await first.fit(data, fit);
    await first.saveCheckpoint(join(folder, 'first'));
    const second = await createTrainer(summing(), options);
    await second.loadCheckpoint(join(folder, 'first'));
    expect(numbers((await second.predict(batch.x))['y'])).toEqual([3, 6]);
    const anew = callback({ onEpochBegin: (_, run) => run.resetStates() });
    const history = await second.fit(data, { ...fit, epochs: 2, callbacks: [anew] });
    const loss = (1 ** 2 + 2 ** 2 + 2 ** 2 + 4 ** 2) / 4;
    expect(history.values['loss']).toEqual([expect.closeTo(loss, 5), expect.closeTo(loss, 5)]);
    await rm(folder, { recursive: true });
  });

  test('a shared layer goes on from one of its places to the next', async () => {
    const sumUp = customLayer((context, x) => {
      const state = context.addState({ name: 'sum', dtype: 'float32', shape: [2, 1] });
      const sum = context.builder.op('Add', [state.value, x]);
      state.update(sum);
      return sum;
    });
    const x = input({ shape: [1], batchSize: 2 });
    const predictor = await createPredictor(model({ inputs: { x }, outputs: { a: sumUp(x), b: sumUp(x) } }), backend);
    const first = await predictor.predict(batch);
    expect([...numbers(first['a']), ...numbers(first['b'])]).toEqual([1, 2, 2, 4]);
    expect(numbers((await predictor.predict(batch))['a'])).toEqual([3, 6]);
  });

  describe('in files', () => {
    const steps = (index: number): readonly (readonly number[])[][] =>
      [0, 1].map((row) => [
        [Math.sin(index + row), 1],
        [row, Math.cos(index)],
      ]);
    const memory = (): LayeredModel =>
      sequential({ batchSize: 2, inputShape: [2, 2], layers: [lstm({ units: 3, stateful: true, name: 'memory' })] });

    test('are still there when a model is read again, and begin anew', async () => {
      const runtime = await createBackend();
      const written = memory();
      const expected = await createPredictor(written, backend);
      const again = await createPredictor(readOnnx(writeOnnx(written).bytes), runtime);
      for (let index = 0; index < 3; index++) {
        const { output } = await again.predict(steps(index) as never);
        numbers((await expected.predict(steps(index) as never))['output']).forEach((value, at) => {
          expect(numbers(output)[at]).toBeCloseTo(value, 5);
        });
      }
      await runtime.dispose();
    });

    test('are fed back by whoever runs a file whose states are exposed', async () => {
      const runtime = await createBackend();
      const written = memory();
      const exposed = readOnnx(writeOnnx(exposeStates(written)).bytes);
      expect(exposed.graph.inputs.map(({ name }) => name)).toEqual(['input', 'memory.state_0', 'memory.state_1']);
      const plain = await createPredictor(exposed, runtime);
      const expected = await createPredictor(written, backend);
      let states = initialStates(written);
      for (let index = 0; index < 3; index++) {
        const results = await plain.predict({ input: steps(index) as never, ...states });
        numbers((await expected.predict(steps(index) as never))['output']).forEach((value, at) => {
          expect(numbers(results['output'])[at]).toBeCloseTo(value, 5);
        });
        states = Object.fromEntries(Object.keys(states).map((name) => [name, results[`${name}.next`] as Tensor]));
      }
      await runtime.dispose();
    });
  });
});
