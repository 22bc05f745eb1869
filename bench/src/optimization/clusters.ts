/**
 * What it costs a convolutional network on MNIST to let each weight take few values: test accuracy after clustering and after
 * training the shared values, bytes of the file, compressed or with indices in the place of numbers.
 *
 * usage: clusters --data FOLDER [--scale 1] [--epochs 4] [--tuning 1] [--clusters 32,16,8] [--seed 1] [--out clusters.json]
 *
 * FOLDER holds the four IDX files of MNIST, gzipped or not. `--scale 0.1` learns from every tenth of the digits.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { Model, TrainingExtension } from '@modelwright/core';
import { createPredictor, fromNumbers, type Tensor, toNumbers } from '@modelwright/core';
import { batchNormalization, conv2d, dense, dropout, flatten, maxPooling2d, sequential } from '@modelwright/models';
import { writeOnnx } from '@modelwright/onnx';
import { type ClusterWeightsOptions, clusterModel, measureFileBytes, stripClusters } from '@modelwright/optimization';
import { adam, cosineDecay, createTrainer } from '@modelwright/training';
import { loadBackend } from 'modelwright';
import { InferenceSession, Tensor as RuntimeTensor } from 'onnxruntime-node';
import { formatColumns } from '../table.js';
import { readDigits } from './digits.js';

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    scale: { type: 'string', default: '1' },
    epochs: { type: 'string', default: '4' },
    tuning: { type: 'string', default: '1' },
    clusters: { type: 'string', default: '32,16,8' },
    seed: { type: 'string', default: '1' },
    out: { type: 'string' },
  },
});
if (values.data === undefined) throw new TypeError('--data FOLDER is needed: where the IDX files of MNIST lie');
const [scale, epochs, tuning, seed] = [values.scale, values.epochs, values.tuning, values.seed].map(Number) as [
  number,
  number,
  number,
  number,
];
const [batchSize, mostLost] = [128, 0.003];
const train = await readDigits(values.data, 'train', scale);
const test = await readDigits(values.data, 'test', scale);
const stepsAnEpoch = Math.ceil((train.cardinality ?? 0) / batchSize);
const backend = await loadBackend('onnxruntime');

const network = await fitted(
  sequential({
    name: 'mnist',
    inputShape: [28, 28, 1],
    seed,
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
      dense({ units: 10, activation: 'softmax' }),
    ],
  }),
  { learningRate: 2e-3, epochs },
);
const before = { ...(await measureFileBytes(network)), accuracy: await accuracyOf(network) };

interface Row {
  readonly name: string;
  readonly clusteredAccuracy: number;
  readonly trainedAccuracy: number;
  readonly compressedBytes: number;
  readonly indexBytes: number;
  readonly compressedIndexBytes: number;
  readonly fileDifference: number;
}

const variants: readonly ClusterWeightsOptions[] = values.clusters
  .split(',')
  .map(Number)
  .flatMap((clusters) => [{ clusters }, ...(clusters === 32 ? [{ clusters, initialization: 'linear' as const }] : [])]);
const rows: Row[] = [];
for (const options of variants) {
  const { model, extension } = clusterModel(network, options);
  const clusteredAccuracy = await accuracyOf(model);
  const tuned = await fitted(model, { learningRate: 2e-4, epochs: tuning, extension });
  const small = stripClusters(tuned);
  const [asValues, asIndices] = [await measureFileBytes(tuned), await measureFileBytes(small)];
  rows.push({
    name: `${options.clusters} ${options.initialization ?? 'kmeans++'}`,
    clusteredAccuracy,
    trainedAccuracy: await accuracyOf(tuned),
    compressedBytes: asValues.compressedBytes,
    indexBytes: asIndices.fileBytes,
    compressedIndexBytes: asIndices.compressedBytes,
    fileDifference: await fileDifference(small),
  });
}
await backend.dispose();

const percent = (share: number): string => `${(share * 100).toFixed(2)} %`;
const ratio = (bytes: number, whole: number): string => `${bytes} (${(whole / bytes).toFixed(2)}×)`;
const heading = ['clusters', 'clustered', 'trained', 'gzip', 'indices', 'indices, gzip', 'from the file'];
const float = [
  'float32',
  percent(before.accuracy),
  '',
  `${before.compressedBytes}`,
  `${before.fileBytes} as it is`,
  '',
  '',
];
const cells = rows.map((row) => [
  row.name,
  percent(row.clusteredAccuracy),
  percent(row.trainedAccuracy),
  ratio(row.compressedBytes, before.compressedBytes),
  ratio(row.indexBytes, before.fileBytes),
  ratio(row.compressedIndexBytes, before.compressedBytes),
  row.fileDifference.toExponential(1),
]);
console.log(formatColumns([heading, float, ...cells]));
if (values.out !== undefined)
  writeFileSync(values.out, JSON.stringify({ seed, scale, epochs, before, rows }, undefined, 2));
const first = rows.find(({ name }) => name.startsWith('32 '));
const isSame = rows.every(({ fileDifference: difference }) => difference < 1e-5);
if (!isSame || (first !== undefined && before.accuracy - first.trainedAccuracy > mostLost)) process.exitCode = 1;

async function fitted(
  model: Model,
  how: { readonly learningRate: number; readonly epochs: number; readonly extension?: TrainingExtension },
): Promise<Model> {
  const learningRate = cosineDecay({
    initialLearningRate: how.learningRate,
    decaySteps: Math.max(1, how.epochs * stepsAnEpoch),
  });
  const trainer = await createTrainer(model, {
    backend,
    optimizer: adam({ learningRate }),
    loss: 'sparseCategoricalCrossentropy',
    extensions: how.extension === undefined ? [] : [how.extension],
    seed,
  });
  await trainer.fit(train, { epochs: how.epochs, batchSize, verbose: 0 });
  await trainer.dispose();
  return trainer.model;
}

async function accuracyOf(model: Model): Promise<number> {
  const loss = 'sparseCategoricalCrossentropy';
  const trainer = await createTrainer(model, { backend, loss, metrics: ['accuracy'] });
  const { accuracy = Number.NaN } = await trainer.evaluate(test, { batchSize: 500 });
  await trainer.dispose();
  return accuracy;
}

/** Largest difference between our backend and the runtime's own binding given the file. */
async function fileDifference(model: Model): Promise<number> {
  const [batch, side] = [16, 28];
  const pixels = Array.from({ length: batch * side * side }, (_, at) => Math.abs(Math.sin(at * 0.37)));
  const images = fromNumbers('float32', [batch, side, side, 1], pixels);
  const predictor = await createPredictor(model, backend);
  const [ours] = Object.values(await predictor.predict(images));
  await predictor.dispose();
  const session = await InferenceSession.create(writeOnnx(model).bytes);
  const name = session.inputNames[0] ?? '';
  const feeds = { [name]: new RuntimeTensor('float32', images.data as Float32Array, images.shape) };
  const [direct] = Object.values(await session.run(feeds));
  await session.release();
  const given = direct?.data as Float32Array;
  return toNumbers(ours as Tensor).reduce(
    (most, value, at) => Math.max(most, Math.abs(value - (given[at] as number))),
    0,
  );
}
