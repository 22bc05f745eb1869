/**
 * Does a teacher help? A tiny network learns digits from few examples of MNIST alone, and from a convolutional teacher that has
 * seen all of them: the same first weights, the same batches in the same order, once a seed. Reports the accuracy on the
 * 10,000 test digits.
 *
 * usage: distil --data FOLDER [--scale 1] [--images 2000] [--seeds 5] [--epochs 80] [--temperature 4] [--alpha 0.9] [--out distil.json]
 *
 * FOLDER holds the four IDX files, gzipped or not. With `--scale 0.1` the teacher has seen a tenth of them, and students
 * train half as long.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { Backend, Model } from '@modelwright/core';
import { conv2d, dense, dropout, flatten, maxPooling2d, sequential } from '@modelwright/models';
import { distillation } from '@modelwright/optimization';
import { adam, cosineDecay, createTrainer, type Dataset } from '@modelwright/training';
import { loadBackend } from 'modelwright';
import { readDigits } from './digits.js';

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    scale: { type: 'string', default: '1' },
    images: { type: 'string', default: '2000' },
    seeds: { type: 'string', default: '5' },
    epochs: { type: 'string' },
    temperature: { type: 'string', default: '4' },
    alpha: { type: 'string', default: '0.9' },
    out: { type: 'string' },
  },
});
if (values.data === undefined) throw new TypeError('--data FOLDER is needed: where the IDX files of MNIST lie');
const [scale, seeds, images] = [Number(values.scale), Number(values.seeds), Number(values.images)];
const epochs = Number(values.epochs ?? (scale < 1 ? 40 : 80));
const [temperature, alpha] = [Number(values.temperature), Number(values.alpha)];
const batchSize = 128;

const all = await readDigits(values.data, 'train', scale);
const few = all.take(images);
const test = await readDigits(values.data, 'test');
const backend = await loadBackend('onnxruntime');

const teacher = teacherNetwork();
const taught = await accuracyOf(backend, teacher, { seed: 1, data: all, epochs: Math.round(3 / Math.sqrt(scale)) });
console.log(`teacher: ${teacher.parameterCount} weights, ${percent(taught)}`);

const runs: { seed: number; alone: number; distilled: number }[] = [];
for (let seed = 1; seed <= seeds; seed++) {
  const alone = await accuracyOf(backend, studentNetwork(seed), { seed, data: few, epochs });
  const distilled = await accuracyOf(backend, studentNetwork(seed), { seed, data: few, epochs, teacher });
  runs.push({ seed, alone, distilled });
  console.log(`seed ${seed}: alone ${percent(alone)}, distilled ${percent(distilled)}`);
}
await backend.dispose();

const wins = runs.filter(({ alone, distilled }) => distilled > alone).length;
const [alone, distilled] = [spread(runs.map((run) => run.alone)), spread(runs.map((run) => run.distilled))];
const difference = spread(runs.map((run) => run.distilled - run.alone));
const student = studentNetwork(1).parameterCount;
console.log(`
                 weights   accuracy
teacher        ${String(teacher.parameterCount).padStart(9)}   ${percent(taught)}
student alone  ${String(student).padStart(9)}   ${percent(alone.mean)} ± ${percent(alone.deviation)}
distilled      ${String(student).padStart(9)}   ${percent(distilled.mean)} ± ${percent(distilled.deviation)}
difference                 ${percent(difference.mean)} ± ${percent(difference.deviation)}; better in ${wins} of ${seeds}`);
if (values.out !== undefined) {
  const settings = { scale, images, seeds, epochs, temperature, alpha, batchSize };
  const report = { settings, teacher: taught, student, runs, wins, alone, distilled, difference };
  writeFileSync(values.out, `${JSON.stringify(report, null, 2)}\n`);
}
if (difference.mean <= 0 || wins <= seeds / 2) process.exitCode = 1;

function teacherNetwork(): Model {
  return sequential({
    name: 'teacher',
    seed: 7,
    inputShape: [28, 28, 1],
    layers: [
      conv2d({ filters: 12, kernelSize: 5, activation: 'relu' }),
      maxPooling2d({ poolSize: 2 }),
      conv2d({ filters: 24, kernelSize: 5, activation: 'relu' }),
      maxPooling2d({ poolSize: 2 }),
      flatten(),
      dropout({ rate: 0.3 }),
      dense({ units: 64, activation: 'relu' }),
      dense({ units: 10, activation: 'softmax' }),
    ],
  });
}

function studentNetwork(seed: number): Model {
  return sequential({
    name: 'student',
    seed,
    inputShape: [28, 28, 1],
    layers: [
      conv2d({ filters: 4, kernelSize: 3, strides: 2, activation: 'relu' }),
      conv2d({ filters: 8, kernelSize: 3, strides: 2, activation: 'relu' }),
      flatten(),
      dense({ units: 10, activation: 'softmax' }),
    ],
  });
}

interface Training {
  readonly seed: number;
  readonly data: Dataset;
  readonly epochs: number;
  readonly teacher?: Model;
}

async function accuracyOf(
  on: Backend,
  model: Model,
  { seed, data, epochs: rounds, teacher: from }: Training,
): Promise<number> {
  const decaySteps = rounds * Math.ceil((data.cardinality ?? 0) / batchSize);
  const trainer = await createTrainer(model, {
    backend: on,
    optimizer: adam({ learningRate: cosineDecay({ initialLearningRate: 3e-3, decaySteps }) }),
    loss: 'sparseCategoricalCrossentropy',
    metrics: ['accuracy'],
    seed,
    extensions: from === undefined ? [] : [distillation({ teacher: from, temperature, alpha })],
  });
  await trainer.fit(data, { epochs: rounds, batchSize, verbose: 0 });
  const { accuracy = Number.NaN } = await trainer.evaluate(test, { batchSize: 500 });
  await trainer.dispose();
  return accuracy;
}

function spread(all: readonly number[]): { readonly mean: number; readonly deviation: number } {
  const mean = all.reduce((sum, each) => sum + each, 0) / all.length;
  const squares = all.reduce((sum, each) => sum + (each - mean) ** 2, 0);
  return { mean, deviation: Math.sqrt(squares / Math.max(1, all.length - 1)) };
}

function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}
