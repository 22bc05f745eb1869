/**
 * What zeros cost and save: a CNN (32 and 64 filters) learns MNIST, then loses 80 % of its weights by a schedule while it is
 * trained on, or two of every four at once before it is; the sparse one is quantized to int8. Reports the accuracy on the
 * 10,000 test digits and the bytes of the files, plain and through gzip. Nothing gets faster by zeros alone.
 *
 * usage: prune-weights --data FOLDER [--scale 1] [--epochs 6] [--tune 4] [--out prune-weights.json]
 *
 * FOLDER holds the four IDX files, gzipped or not. `--scale 0.1` learns from every tenth of the digits.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { Model, TrainingExtension } from '@modelwright/core';
import { batchNormalization, conv2d, dense, dropout, flatten, maxPooling2d, sequential } from '@modelwright/models';
import {
  keepZeros,
  magnitudePruning,
  measureFileBytes,
  optimize,
  polynomialSparsity,
  pruneWeights,
  quantize,
  stripPruning,
  weightSparsity,
  withGraph,
} from '@modelwright/optimization';
import { adam, cosineDecay, createTrainer } from '@modelwright/training';
import { loadBackend } from 'modelwright';
import { readDigits } from './digits.js';

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    scale: { type: 'string', default: '1' },
    epochs: { type: 'string', default: '6' },
    tune: { type: 'string', default: '4' },
    out: { type: 'string' },
  },
});
if (values.data === undefined) throw new TypeError('--data FOLDER is needed: where the IDX files of MNIST lie');
const [scale, epochs, tuning] = [Number(values.scale), Number(values.epochs), Number(values.tune)];
const batchSize = 128;

const train = await readDigits(values.data, 'train', scale);
const test = await readDigits(values.data, 'test');
const stepsAnEpoch = Math.ceil(Math.round(60_000 * scale) / batchSize);
const backend = await loadBackend('onnxruntime');

interface Row {
  readonly what: string;
  readonly accuracy: number;
  readonly sparsity: number;
  readonly fileBytes: number;
  readonly compressedBytes: number;
}

const rows: Row[] = [];

const whole = network();
await learn(whole, { epochs, learningRate: 2e-3 });
const before = await report('as trained', whole);

const sparse = copyOf(whole);
const end = Math.round(0.6 * tuning * stepsAnEpoch);
const schedule = polynomialSparsity({ initial: 0.3, final: 0.8, end, frequency: Math.max(1, Math.round(end / 40)) });
await learn(sparse, { epochs: tuning, learningRate: 1e-3, extensions: [magnitudePruning({ schedule })] });
const pruned = await report('80 % zeros by schedule', stripPruning(sparse));

const structured = pruneWeights(whole, { pattern: '2:4' });
await learn(structured, { epochs: tuning, learningRate: 5e-4, extensions: [keepZeros()] });
const halved = await report('2:4, trained on', stripPruning(structured));

const { model: int8 } = await optimize(stripPruning(sparse), {
  backend,
  calibration: train.take(512).map(({ inputs }) => ({ inputs })),
  steps: [quantize({ mode: 'static' })],
  measure: false,
});
const small = await report('80 % zeros, then int8', int8, pruned.sparsity);
await backend.dispose();

const ratio = before.compressedBytes / small.compressedBytes;
const checks = [
  { what: '80 % unstructured loses ≤ 0.5 points', value: 100 * (before.accuracy - pruned.accuracy), most: 0.5 },
  { what: '2:4 loses ≤ 0.3 points', value: 100 * (before.accuracy - halved.accuracy), most: 0.3 },
  { what: '80 % and int8: compressed file ≥ 9× smaller', value: ratio, least: 9 },
];
for (const { what, value, most = Number.POSITIVE_INFINITY, least = Number.NEGATIVE_INFINITY } of checks) {
  const isKept = value <= most && value >= least;
  console.log(`${isKept ? 'kept  ' : 'MISSED'}  ${what}: ${value.toFixed(2)}`);
  if (!isKept) process.exitCode = 1;
}
if (values.out !== undefined) {
  const settings = { scale, epochs, tuning, batchSize };
  writeFileSync(values.out, `${JSON.stringify({ settings, rows, checks }, null, 2)}\n`);
}

function network(): Model {
  return sequential({
    name: 'digits',
    seed: 1,
    inputShape: [28, 28, 1],
    layers: [
      conv2d({ filters: 32, kernelSize: 3, activation: 'relu' }),
      batchNormalization({ momentum: 0.9 }),
      maxPooling2d({ poolSize: 2 }),
      conv2d({ filters: 64, kernelSize: 3, activation: 'relu' }),
      batchNormalization({ momentum: 0.9 }),
      maxPooling2d({ poolSize: 2 }),
      flatten(),
      dropout({ rate: 0.4 }),
      dense({ units: 128, activation: 'relu' }),
      dropout({ rate: 0.4 }),
      dense({ units: 10, activation: 'softmax' }),
    ],
  });
}

function copyOf(model: Model): Model {
  return withGraph(model, model.graph);
}

interface Learning {
  readonly epochs: number;
  readonly learningRate: number;
  readonly extensions?: readonly TrainingExtension[];
}

async function learn(model: Model, { epochs: rounds, learningRate, extensions = [] }: Learning): Promise<void> {
  const trainer = await createTrainer(model, {
    backend,
    optimizer: adam({
      learningRate: cosineDecay({ initialLearningRate: learningRate, decaySteps: rounds * stepsAnEpoch }),
    }),
    loss: 'sparseCategoricalCrossentropy',
    extensions,
  });
  await trainer.fit(train, { epochs: rounds, batchSize, verbose: 0 });
  await trainer.dispose();
}

async function report(what: string, model: Model, sparsity = weightSparsity(model).sparsity): Promise<Row> {
  const trainer = await createTrainer(model, {
    backend,
    loss: 'sparseCategoricalCrossentropy',
    metrics: ['accuracy'],
  });
  const { accuracy = Number.NaN } = await trainer.evaluate(test, { batchSize: 500 });
  await trainer.dispose();
  const row = { what, accuracy, sparsity, ...(await measureFileBytes(model)) };
  const columns = [what.padEnd(24), percent(accuracy), percent(sparsity), kilobytes(row.fileBytes)];
  if (rows.length === 0) console.log(`${''.padEnd(24)}  accuracy     zeros      file  gzipped`);
  console.log([...columns, kilobytes(row.compressedBytes)].join('  '));
  rows.push(row);
  return row;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`.padStart(8);
}

function kilobytes(bytes: number): string {
  return `${(bytes / 1000).toFixed(1)} kB`.padStart(8);
}
