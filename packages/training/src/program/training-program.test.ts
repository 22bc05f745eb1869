import {
  createReferenceBackend,
  GraphBuilder,
  isModelwrightError,
  Model,
  type TensorMap,
  tensor,
  toNumbers,
  verify,
} from '@modelwright/core';
import { expect, test } from 'vitest';
import { meanSquaredError } from '../losses/regression.js';
import { sgd } from '../optimizers/sgd.js';
import { createTrainer } from '../trainer/create-trainer.js';
import { signatureOf } from './batch-signature.js';
import { linearModel, weightModel } from './linear-model.cases.js';
import { trainingProgram } from './training-program.js';

const backend = createReferenceBackend();
const kernel = [
  [0.5, -0.3],
  [-0.2, 0.8],
  [0.1, 0.4],
];
const x = tensor(
  [
    [1, 2, 3],
    [0, -1, 1],
    [2, 0, -1],
    [1, 1, 1],
  ],
  { dtype: 'float64' },
);
const y = tensor(
  [
    [1, 0],
    [0, 1],
    [1, 1],
    [0.5, -0.5],
  ],
  { dtype: 'float64' },
);

function rows(from: number, to: number): readonly [typeof x, typeof y] {
  const part = (t: typeof x): typeof x =>
    tensor(toNumbers(t).slice(from * (t.shape[1] as number), to * (t.shape[1] as number)), {
      dtype: 'float64',
      shape: [to - from, t.shape[1] as number],
    });
  return [part(x), part(y)];
}

function expectSame(actual: TensorMap, expected: TensorMap, digits = 10): void {
  expect(Object.keys(actual)).toEqual(Object.keys(expected));
  for (const [name, { data }] of Object.entries(expected)) {
    for (const [index, value] of Array.from(data as Float64Array).entries()) {
      expect((actual[name]!.data as Float64Array)[index], `${name}[${index}]`).toBeCloseTo(value, digits);
    }
  }
}

test('programs are sound graphs', () => {
  const model = linearModel({ kernel });
  const objective = { output: 'y', loss: meanSquaredError(), weight: 1, metrics: [], prefix: '' };
  const recipe = { model, objectives: [objective], optimizer: sgd({ momentum: 0.9 }), extensions: [], seed: 0 };
  const signature = signatureOf({ inputs: { x }, targets: { y }, sampleWeights: {} });
  const program = trainingProgram(recipe, signature, 'update');
  expect(() => verify(program.graph)).not.toThrow();
  expect(program.state.map(({ name }) => name).sort()).toEqual([
    'dense.bias',
    'dense.kernel',
    'optimizer.momentum.dense.bias',
    'optimizer.momentum.dense.kernel',
    'step',
  ]);
});

test('accumulated batches step like one large batch', async () => {
  const [whole, parts] = [linearModel({ kernel }), linearModel({ kernel })];
  const optimizer = sgd({ learningRate: 0.1, momentum: 0.9 });
  const large = await createTrainer(whole, { backend, optimizer, loss: 'mse' });
  const small = await createTrainer(parts, { backend, optimizer, loss: 'mse', gradientAccumulationSteps: 4 });
  for (let round = 0; round < 3; round++) {
    await large.trainOnBatch([x, y]);
    for (let row = 0; row < 4; row++) await small.trainOnBatch(rows(row, row + 1));
  }
  await Promise.all([large.sync(), small.sync()]);
  expectSame(parts.getWeights(), whole.getWeights());
  expect(small.step).toBe(12);
});

test('regularizers add their penalty to the loss and its gradient to the step', async () => {
  const regularizer = { l1: 0.03, l2: 0.05 };
  const [plain, penalized] = [linearModel({ kernel }), linearModel({ kernel, parameter: { regularizer } })];
  const optimizer = sgd({ learningRate: 0.1 });
  const before = await createTrainer(plain, { backend, optimizer, loss: 'mse' });
  const after = await createTrainer(penalized, { backend, optimizer, loss: 'mse' });
  const penalty = kernel.flat().reduce((sum, w) => sum + 0.03 * Math.abs(w) + 0.05 * w * w, 0);
  const { loss } = await before.trainOnBatch([x, y]);
  expect((await after.testOnBatch([x, y]))['loss']).toBeCloseTo((loss as number) + penalty, 12);
  expect((await after.trainOnBatch([x, y]))['loss']).toBeCloseTo((loss as number) + penalty, 12);
  await Promise.all([before.sync(), after.sync()]);
  const expected = kernel.flat().map((w, i) => {
    const unpenalized = toNumbers(plain.getWeights()['dense.kernel']!)[i] as number;
    return unpenalized - 0.1 * (0.03 * Math.sign(w) + 0.1 * w);
  });
  expectSame({ w: penalized.getWeights()['dense.kernel']! }, { w: tensor(expected, { dtype: 'float64' }) });
});

test('an orthogonal penalty turns rows away from each other', async () => {
  const model = linearModel({
    kernel: [
      [1, 0.9],
      [0.8, 1],
    ],
    parameter: { regularizer: { orthogonal: 1 } },
  });
  const trainer = await createTrainer(model, {
    backend,
    optimizer: sgd({ learningRate: 0.5 }),
    loss: 'mse',
    lossWeights: { y: 0 },
  });
  const pair = [tensor([[1, 1]], { dtype: 'float64' }), tensor([[0, 0]], { dtype: 'float64' })] as const;
  const first = (await trainer.trainOnBatch(pair))['loss'] as number;
  const cosine = (1 * 0.8 + 0.9 * 1) / (Math.hypot(1, 0.9) * Math.hypot(0.8, 1));
  expect(first).toBeCloseTo(cosine, 10);
  for (let round = 0; round < 20; round++) await trainer.trainOnBatch(pair);
  expect((await trainer.testOnBatch(pair))['loss']).toBeLessThan(first * 0.8);
});

test.each([
  [{ kind: 'nonNeg' }, (w: number[]) => w.every((each) => each >= 0)],
  [{ kind: 'unitNorm', axes: [0] }, (w: number[]) => columnNorms(w).every((norm) => Math.abs(norm - 1) < 1e-6)],
  [{ kind: 'maxNorm', maxValue: 0.4, axes: [0] }, (w: number[]) => columnNorms(w).every((norm) => norm <= 0.4 + 1e-6)],
  [
    { kind: 'minMaxNorm', minValue: 2, maxValue: 3, rate: 1, axes: [0] },
    (w: number[]) => columnNorms(w).every((norm) => norm > 2 - 1e-6 && norm < 3 + 1e-6),
  ],
] as const)('the constraint %j holds after each step', async (constraint, holds) => {
  const model = linearModel({ kernel, parameter: { constraint } });
  const trainer = await createTrainer(model, { backend, optimizer: sgd({ learningRate: 0.3 }), loss: 'mse' });
  expect(holds(kernel.flat())).toBe(false);
  for (let round = 0; round < 3; round++) {
    await trainer.trainOnBatch([x, y]);
    await trainer.sync();
    expect(holds([...toNumbers(model.getWeights()['dense.kernel']!)])).toBe(true);
  }
});

function columnNorms(w: readonly number[]): number[] {
  return [0, 1].map((column) => Math.hypot(...w.filter((_, index) => index % 2 === column)));
}

test('the moving average of weights is what evaluates and what the model gets', async () => {
  const [plain, averaged] = [linearModel({ kernel }), linearModel({ kernel })];
  const optimizer = sgd({ learningRate: 0.1 });
  const reference = await createTrainer(plain, { backend, optimizer, loss: 'mse' });
  const trainer = await createTrainer(averaged, { backend, optimizer, loss: 'mse', ema: { momentum: 0.8 } });
  let average = kernel.flat();
  for (let round = 0; round < 4; round++) {
    await reference.trainOnBatch([x, y]);
    await trainer.trainOnBatch([x, y]);
    const weights = toNumbers((await reference.sync()).getWeights()['dense.kernel']!);
    average = average.map((before, index) => 0.8 * before + 0.2 * (weights[index] as number));
  }
  await trainer.sync();
  expectSame({ w: averaged.getWeights()['dense.kernel']! }, { w: tensor(average, { dtype: 'float64' }) });
  const alone = await createTrainer(averaged, { backend, loss: 'mse' });
  const [live, fresh] = [await trainer.evaluate([x, y]), await alone.evaluate([x, y])];
  expect(live['loss']).toBeCloseTo(fresh['loss'] as number, 12);
});

test('frozen weights stay, the others train', async () => {
  const model = linearModel({ kernel });
  model.setTrainable('dense.kernel', false);
  const trainer = await createTrainer(model, { backend, loss: 'mse' });
  const before = model.getWeights();
  await trainer.fit([x, y], { epochs: 2, verbose: 0 });
  expect(model.getWeights()['dense.kernel']).toEqual(before['dense.kernel']);
  expect(model.getWeights()['dense.bias']).not.toEqual(before['dense.bias']);
});

test('a model without trainable weights says so', async () => {
  const model = linearModel({ kernel });
  model.setTrainable('', false);
  const trainer = await createTrainer(model, { backend, loss: 'mse' });
  await expect(trainer.trainOnBatch([x, y])).rejects.toThrow(/cannot be trained: it has no trainable weights/);
});

test('several outputs are weighted and logged by name', async () => {
  const builder = new GraphBuilder('two');
  const input = builder.input('x', 'float64', ['batch', 3]);
  const w = builder.constant(tensor(kernel, { dtype: 'float64' }), { name: 'w' });
  const scores = builder.op('MatMul', [input, w]);
  builder.output('raw', scores);
  builder.output('chances', builder.op('Softmax', [scores], { axis: -1 }));
  const model = new Model({
    name: 'two',
    graph: builder.build(),
    parameters: [{ name: 'w', value: w, trainable: true, role: 'weight' }],
  });
  const trainer = await createTrainer(model, {
    backend,
    loss: { raw: 'mse', chances: 'sparseCategoricalCrossentropy' },
    lossWeights: { raw: 0.25 },
    metrics: { chances: ['accuracy'] },
  });
  const logs = await trainer.testOnBatch({ x, y: { raw: y, chances: tensor([0, 1, 1, 0], { dtype: 'int32' }) } });
  expect(Object.keys(logs)).toEqual(['loss', 'raw_loss', 'chances_loss', 'chances_accuracy']);
  expect(logs['loss']).toBeCloseTo(0.25 * (logs['raw_loss'] as number) + (logs['chances_loss'] as number), 12);
});

test('what is not differentiable in the way is named', async () => {
  const builder = new GraphBuilder('steps');
  const input = builder.input('x', 'float64', ['batch', 3]);
  const w = builder.constant(tensor(kernel, { dtype: 'float64' }), { name: 'w' });
  const labels = builder.op('ArgMax', [builder.op('MatMul', [input, w])], { axis: -1, keepdims: 1 });
  builder.output('y', builder.op('Cast', [labels], { to: 11 }));
  const model = new Model({
    name: 'steps',
    graph: builder.build(),
    parameters: [{ name: 'w', value: w, trainable: true, role: 'weight' }],
  });
  const trainer = await createTrainer(model, { backend, loss: 'mse' });
  const failure = await trainer.trainOnBatch([x, tensor([[1], [0], [1], [0]])]).catch((error: unknown) => error);
  expect(isModelwrightError(failure, 'invalid-model') || isModelwrightError(failure, 'not-differentiable')).toBe(true);
});

test('a softmax that sees huge scores has a finite loss and gradient', async () => {
  const model = weightModel([[1000, -1000, 0]], 'softmax');
  const trainer = await createTrainer(model, {
    backend,
    loss: 'sparseCategoricalCrossentropy',
    optimizer: sgd({ learningRate: 1 }),
  });
  const { loss } = await trainer.trainOnBatch([tensor([[1]], { dtype: 'float64' }), tensor([1], { dtype: 'int32' })]);
  expect(loss).toBeCloseTo(2000, 9);
  await trainer.sync();
  expect([...toNumbers(model.getWeights()['w']!)]).toEqual([999, -999, 0]);
});

test('a softmax over channels is seen through the transpose that ends a channels-last model', async () => {
  const builder = new GraphBuilder('pixels');
  const input = builder.input('x', 'float64', ['batch', 2, 2]);
  const w = builder.constant(tensor([[[900], [-900]]], { dtype: 'float64' }), { name: 'w' });
  const scores = builder.op('Mul', [input, w]);
  builder.output('y', builder.op('Transpose', [builder.op('Softmax', [scores], { axis: 1 })], { perm: [0, 2, 1] }));
  const model = new Model({
    name: 'pixels',
    graph: builder.build(),
    parameters: [{ name: 'w', value: w, trainable: true, role: 'weight' }],
  });
  const trainer = await createTrainer(model, { backend, loss: 'sparseCategoricalCrossentropy' });
  const pixels = tensor(
    [
      [
        [1, 1],
        [1, 1],
      ],
    ],
    { dtype: 'float64' },
  );
  const { loss } = await trainer.trainOnBatch([pixels, tensor([[1, 0]], { dtype: 'int32' })]);
  expect(loss).toBeCloseTo(900, 9);
});
