import { createPredictor, createReferenceBackend, type Model, type Tensor, tensor, toNumbers } from '@modelwright/core';
import {
  conv2d,
  dense,
  flatten,
  globalAveragePooling2d,
  input,
  model as network,
  reshape,
  sequential,
} from '@modelwright/models';
import { readOnnx, writeOnnx } from '@modelwright/onnx';
import { adam, createTrainer, type Loss, sgd, sparseCategoricalCrossentropy } from '@modelwright/training';
import { expect, test } from 'vitest';
import { optimize } from '../pipeline/index.js';
import type { OptimizationContext } from '../step.js';
import { distil } from './distil.js';
import { type DistillationOptions, distillation } from './distillation.js';

const backend = createReferenceBackend();
const [examples, classes] = [8, 3];
const numbers = (count: number, scale = 1): Float32Array =>
  Float32Array.from({ length: count }, (_, at) => (scale * (((at * 7919 + 13) % 101) - 50)) / 50);
const x = tensor(numbers(examples * 4), { shape: [examples, 4] });
const y = tensor(
  Int32Array.from({ length: examples }, (_, at) => at % classes),
  { shape: [examples], dtype: 'int32' },
);

function mlp(name: string, width: number, seed: number, activation?: 'softmax' | 'sigmoid'): Model {
  const layers = [dense({ name: 'hidden', units: width, activation: 'tanh' }), last(activation)];
  return sequential({ name, seed, inputShape: [4], layers });
}

function last(activation: 'softmax' | 'sigmoid' | undefined): ReturnType<typeof dense> {
  return dense({ name: 'scores', units: classes, ...(activation === undefined ? {} : { activation }) });
}

function functional(name: string): Model {
  const features = input({ name, shape: [4] });
  const hidden = dense({ units: 16, activation: 'tanh' })(features);
  return network({ inputs: features, outputs: last('softmax')(hidden) });
}

async function outputOf(model: Model, examplesIn: Tensor = x): Promise<Float64Array> {
  const predictor = await createPredictor(model, backend);
  const outputs = await predictor.predict({ [model.graph.inputs[0]?.name as string]: examplesIn });
  return toNumbers(Object.values(outputs)[0] as Tensor);
}

/** The loss of the first step, before any update. */
async function firstLoss(
  student: Model,
  options: DistillationOptions,
  loss: Loss | 'sparseCategoricalCrossentropy' = 'sparseCategoricalCrossentropy',
) {
  const extensions = [distillation(options)];
  const trainer = await createTrainer(student, { backend, optimizer: sgd(), loss, extensions });
  return (await trainer.trainOnBatch({ x, y } as never))['loss'] as number;
}

const rowsOf = (all: Float64Array): number[][] =>
  Array.from({ length: examples }, (_, row) => [...all.slice(row * classes, (row + 1) * classes)]);
const softmaxOf = (scores: readonly number[], temperature: number): number[] => {
  const powers = scores.map((score) => Math.exp(score / temperature));
  const total = powers.reduce((sum, each) => sum + each);
  return powers.map((each) => each / total);
};
const mean = (all: readonly number[]): number => all.reduce((sum, each) => sum + each, 0) / all.length;

test('weighs the softened divergence against the loss for the targets', async () => {
  const [teacher, student] = [mlp('teacher', 16, 1), mlp('student', 4, 2)];
  const [theirs, mine] = [rowsOf(await outputOf(teacher)), rowsOf(await outputOf(student))];
  const [temperature, alpha] = [3, 0.7];
  const divergence = mean(
    theirs.map((scores, row) => {
      const [p, q] = [softmaxOf(scores, temperature), softmaxOf(mine[row] as number[], temperature)];
      return p.reduce((sum, each, at) => sum + each * Math.log(each / (q[at] as number)), 0);
    }),
  );
  const hard = mean(mine.map((scores, row) => -Math.log(softmaxOf(scores, 1)[row % classes] as number)));
  const given = sparseCategoricalCrossentropy({ fromLogits: true });
  const loss = await firstLoss(student, { teacher, temperature, alpha }, given);
  expect(loss).toBeCloseTo((1 - alpha) * hard + alpha * temperature ** 2 * divergence, 5);
});

test('finds the scores behind a softmax, of an imported teacher too, or takes probabilities as they come', async () => {
  const [scored, probable] = [mlp('teacher', 16, 1), mlp('teacher', 16, 1, 'softmax')];
  const { bytes } = writeOnnx(probable, { trainingMetadata: false });
  // A layer behind the softmax hides it.
  const hidden = sequential({
    ...{ name: 'teacher', seed: 1, inputShape: [4] },
    layers: [dense({ name: 'hidden', units: 16, activation: 'tanh' }), last('softmax'), reshape({ targetShape: [3] })],
  });
  const losses = [];
  for (const teacher of [scored, probable, readOnnx(bytes)]) {
    losses.push(await firstLoss(mlp('student', 4, 2, 'softmax'), { teacher }));
  }
  losses.push(await firstLoss(mlp('student', 4, 2, 'softmax'), { teacher: hidden, teacherOutputs: 'probabilities' }));
  for (const loss of losses) expect(loss).toBeCloseTo(losses[0] as number, 4);
});

test('a student of scores learns the sigmoids of its teacher without targets', async () => {
  const [teacher, student] = [mlp('teacher', 8, 1, 'sigmoid'), mlp('student', 8, 2, 'sigmoid')];
  const before = teacher.getWeights();
  const extensions = [distillation({ teacher, alpha: 1, temperature: 2 })];
  const optimizer = adam({ learningRate: 0.03 });
  const trainer = await createTrainer(student, { backend, optimizer, extensions });
  for (let step = 0; step < 200; step++) await trainer.trainOnBatch({ x } as never);
  await trainer.sync();
  const [theirs, mine] = [await outputOf(teacher), await outputOf(student)];
  expect(Math.max(...mine.map((each, at) => Math.abs(each - (theirs[at] as number))))).toBeLessThan(0.02);
  expect(teacher.getWeights()).toEqual(before);
});

test('features of another number are matched through a map that is trained along', async () => {
  const image = tensor(numbers(4 * 36), { shape: [4, 6, 6, 1] });
  const pictures = (name: string, filters: number, seed: number): Model =>
    sequential({
      ...{ name, seed, inputShape: [6, 6, 1] },
      layers: [
        conv2d({ name: 'stem', filters, kernelSize: 3, activation: 'relu' }),
        globalAveragePooling2d({ name: 'pool' }),
        flatten(),
        dense({ name: 'scores', units: classes }),
      ],
    });
  const teacher = pictures('teacher', 6, 1);
  for (const loss of ['mse', 'cosine', 'attention'] as const) {
    const student = pictures('student', 4, 2);
    const features = [{ student: 'stem', teacher: 'stem', loss }];
    const extension = distillation({ teacher, alpha: 0, features });
    const slots = extension.slotsFor?.(student).map(({ initial }) => initial.shape);
    expect(slots).toEqual(loss === 'attention' ? [] : [[4, 6]]);
    const optimizer = adam({ learningRate: 0.02 });
    const trainer = await createTrainer(student, { backend, optimizer, extensions: [extension] });
    const losses: number[] = [];
    for (let step = 0; step < 40; step++) {
      losses.push((await trainer.trainOnBatch({ x: image } as never))['loss'] as number);
    }
    expect(losses.at(-1)).toBeLessThan(0.5 * (losses[0] as number));
  }
});

test('says what does not fit', async () => {
  const teacher = mlp('teacher', 16, 1);
  expect(() => distillation({ teacher, temperature: 0 })).toThrow(/temperature is 0; a number above 0/);
  expect(() => distillation({ teacher, features: [{ student: 'hidden', teacher: 'wide' }] })).toThrow(
    /no layer 'wide'; it has: .*hidden/,
  );
  const other = sequential({ name: 'other', inputShape: [4], layers: [dense({ units: 5 })] });
  await expect(firstLoss(other, { teacher })).rejects.toThrow(/output 'output': the student gives \[8,5\]/);
  const images = sequential({ name: 'images', inputShape: [2, 2, 1], layers: [flatten(), dense({ units: classes })] });
  await expect(firstLoss(mlp('student', 4, 1), { teacher: images })).rejects.toThrow(/'images' wants input/);
});

test('as a step it puts the student in the place of its teacher', async () => {
  const teacher = readOnnx(writeOnnx(functional('features'), { trainingMetadata: false }).bytes);
  const student = mlp('student', 2, 2, 'softmax');
  const before = student.getWeights();
  const train = async (model: Model, context: OptimizationContext): Promise<void> => {
    expect(context.extensions.map(({ name }) => name)).toEqual(['distillation']);
    const trainer = await createTrainer(model, { ...context, optimizer: sgd({ learningRate: 0.1 }) });
    await trainer.trainOnBatch({ x } as never);
    await trainer.sync();
  };
  const steps = [distil({ student, train, alpha: 1 })];
  const { model, report } = await optimize(teacher, { backend, steps, measure: false });
  expect(model.parameterCount).toBe(student.parameterCount);
  expect(model.getWeights()).not.toEqual(before);
  expect(student.getWeights()).toEqual(before);
  expect(report.record.stages.at(-1)).toMatchObject({ name: 'distil into student' });
  expect(report.record.stages.at(-1)?.notes[0]).toMatch(/131 weights taught 19/);
  expect(model.graph.inputs.map(({ name }) => name)).toEqual(['features']);
});
