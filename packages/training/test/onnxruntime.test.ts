/** Trainings on ONNX Runtime against the same ones on the reference backend. */
import { createBackend, type OnnxRuntimeBackend } from '@modelwright/backend-onnxruntime';
import { type Backend, createReferenceBackend, type Tensor, type TensorMap, toNumbers } from '@modelwright/core';
import {
  batchNormalization,
  conv2d,
  dense,
  dropout,
  flatten,
  l2,
  maxNorm,
  maxPooling2d,
  sequential,
} from '@modelwright/models';
import {
  adam,
  createRandom,
  createTrainer,
  fromArrays,
  lossNames,
  optimizerNames,
  sgd,
  type Trainer,
  type TrainerOptions,
  toLoss,
  toOptimizer,
} from '@modelwright/training';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const reference = createReferenceBackend();
let runtime: OnnxRuntimeBackend;
beforeAll(async () => {
  runtime = await createBackend();
});
afterAll(() => runtime.dispose());

const random = createRandom(8);
const uniform = (): number => random.nextUint32() / 2 ** 31 - 1;
const examples = 22;
const x = Array.from({ length: examples }, () => Array.from({ length: 5 }, uniform));
const labels = Array.from({ length: examples }, () => random.nextBelow(3));
const oneHot = labels.map((label) => [0, 1, 2].map((each) => (each === label ? 1 : 0)));

function network(activation: 'softmax' | 'sigmoid' | 'linear') {
  return sequential({
    inputShape: [5],
    seed: 1,
    layers: [
      dense({
        units: 7,
        activation: 'tanh',
        kernelRegularizer: l2({ l2: 0.01 }),
        kernelConstraint: maxNorm({ maxValue: 1.5 }),
      }),
      batchNormalization(),
      dropout({ rate: 0.25 }),
      dense({ units: 3, activation }),
    ],
  });
}

/** Trains alike on both backends. */
async function both(
  build: (backend: Backend) => Promise<Trainer>,
  train: (trainer: Trainer) => Promise<unknown>,
): Promise<readonly [reference: TensorMap, runtime: TensorMap]> {
  const results: TensorMap[] = [];
  for (const backend of [reference, runtime]) {
    const trainer = await build(backend);
    await train(trainer);
    results.push((await trainer.sync()).getWeights());
    await trainer.dispose();
  }
  return results as [TensorMap, TensorMap];
}

function expectNear(actual: TensorMap, expected: TensorMap, tolerance: number): void {
  for (const [name, tensor] of Object.entries(expected)) {
    const [a, e] = [toNumbers(actual[name] as Tensor), toNumbers(tensor)];
    for (let i = 0; i < e.length; i++) {
      const [got, wanted] = [a[i] as number, e[i] as number];
      expect(Math.abs(got - wanted), `${name}[${i}]: ${got}, not ${wanted}`).toBeLessThan(
        tolerance * (1 + Math.abs(wanted)),
      );
    }
  }
}

describe.each(optimizerNames)('%s', (name) => {
  test('ten steps with a short last batch', async () => {
    const options: Omit<TrainerOptions, 'backend'> = {
      optimizer: toOptimizer(name),
      loss: 'sparseCategoricalCrossentropy',
      metrics: ['accuracy'],
      globalClipNorm: 1,
      ema: { momentum: 0.9 },
    };
    const [expected, actual] = await both(
      (backend) => createTrainer(network('softmax'), { backend, ...options }),
      (trainer) => trainer.fit([x, labels], { epochs: 2, batchSize: 5, verbose: 0 }),
    );
    // Lion moves by the sign of nearly nothing where a gradient is nearly nothing.
    expectNear(actual, expected, name === 'lion' ? 5e-3 : 2e-5);
  });
});

describe.each(lossNames.filter((each) => each.length > 4))('%s', (name) => {
  test('three steps and an evaluation', async () => {
    const loss = toLoss(name);
    const positive = name === 'poisson' || name === 'meanSquaredLogarithmicError' || name.startsWith('binary');
    const activation = /categorical(Cross|Focal)|kullback/i.test(name) ? 'softmax' : positive ? 'sigmoid' : 'linear';
    // The percentage of nothing is beyond bounds.
    const dense = name === 'meanAbsolutePercentageError' ? oneHot.map((row) => row.map((each) => each + 0.5)) : oneHot;
    const targets = loss.targets === 'classes' ? labels : dense;
    const evaluations: (number | undefined)[] = [];
    const [expected, actual] = await both(
      (backend) =>
        createTrainer(network(activation), {
          backend,
          loss,
          optimizer: sgd({ learningRate: 0.05 }),
          metrics: ['mae'].slice(loss.targets === 'classes' ? 1 : 0),
        }),
      async (trainer) => {
        await trainer.fit([x, targets], { batchSize: 8, verbose: 0 });
        evaluations.push((await trainer.evaluate([x, targets]))['loss']);
      },
    );
    expectNear(actual, expected, 2e-5);
    expect((evaluations[1] as number) / (evaluations[0] as number)).toBeCloseTo(1, 4);
  });
});

test('metrics agree', async () => {
  const metrics = ['accuracy', 'topKCategoricalAccuracy', 'precision', 'recall', 'f1', 'auc', 'confusionMatrix'];
  const results = [];
  for (const backend of [reference, runtime]) {
    const trainer = await createTrainer(network('softmax'), {
      backend,
      loss: 'sparseCategoricalCrossentropy',
      weightedMetrics: metrics,
    });
    const sampleWeight = x.map(([first]) => 1 + (first as number) / 2);
    results.push(await trainer.evaluateDetailed({ x, y: labels, sampleWeight }, { batchSize: 9 }));
    await trainer.dispose();
  }
  const [expected, actual] = results as [(typeof results)[number], (typeof results)[number]];
  for (const [name, value] of Object.entries(expected.logs)) expect(actual.logs[name], name).toBeCloseTo(value, 5);
  expectNear(actual.tensors, expected.tensors, 1e-6);
});

test('gradient accumulation and frozen layers', async () => {
  const [expected, actual] = await both(
    async (backend) => {
      const model = network('softmax');
      model.setTrainable('dense', false);
      return createTrainer(model, {
        backend,
        loss: 'sparseCategoricalCrossentropy',
        optimizer: adam(),
        gradientAccumulationSteps: 3,
      });
    },
    (trainer) => trainer.fit([x, labels], { epochs: 3, batchSize: 6, verbose: 0 }),
  );
  expectNear(actual, expected, 2e-5);
});

test('images: convolution, pooling and dropout', async () => {
  const pixels = fromArrays({
    x: { data: Uint8Array.from({ length: 10 * 64 }, () => random.nextBelow(256)), shape: [10, 8, 8, 1] },
    y: labels.slice(0, 10),
  });
  const [expected, actual] = await both(
    (backend) =>
      createTrainer(
        sequential({
          inputShape: [8, 8, 1],
          seed: 3,
          layers: [
            conv2d({ filters: 4, kernelSize: 3, activation: 'relu' }),
            maxPooling2d({ poolSize: 2 }),
            flatten(),
            dropout({ rate: 0.5 }),
            dense({ units: 3, activation: 'softmax' }),
          ],
        }),
        { backend, loss: 'sparseCategoricalCrossentropy', optimizer: sgd({ learningRate: 1e-5 }) },
      ),
    (trainer) => trainer.fit(pixels, { epochs: 2, batchSize: 4, verbose: 0 }),
  );
  expectNear(actual, expected, 2e-5);
});
