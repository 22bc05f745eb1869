/**
 * Trains a CNN on the complete MNIST and reports its accuracy on the 10,000 test digits.
 *
 * usage: mnist-full --data FOLDER [--epochs 8] [--out mnist.onnx]
 *
 * FOLDER holds the four IDX files, gzipped or not: `[mnist-]train-images-idx3-ubyte[.gz]` and so on.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  batchNormalization,
  conv2d,
  dense,
  dropout,
  flatten,
  type Layer,
  maxPooling2d,
  sequential,
} from '@modelwright/models';
import { adam, cosineDecay, createTrainer, type Dataset } from '@modelwright/training';
import { fromIdxFiles } from '@modelwright/training/node';
import { loadBackend, saveModel } from 'modelwright';

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    epochs: { type: 'string', default: '8' },
    out: { type: 'string' },
    seed: { type: 'string', default: '1' },
  },
});
if (values.data === undefined) throw new TypeError('--data FOLDER is needed: where the IDX files of MNIST lie');
const folder = values.data;
const epochs = Number(values.epochs);
const batchSize = 128;

const train = await digits('train');
const test = await digits('t10k', 'test');
const model = sequential({
  name: 'mnist',
  inputShape: [28, 28, 1],
  layers: [
    ...block(32),
    maxPooling2d({ poolSize: 2 }),
    ...block(64),
    maxPooling2d({ poolSize: 2 }),
    flatten(),
    ...head(),
  ],
});
const backend = await loadBackend('onnxruntime');
const trainer = await createTrainer(model, {
  backend,
  optimizer: adam({
    learningRate: cosineDecay({ initialLearningRate: 2e-3, decaySteps: epochs * Math.ceil(60000 / batchSize) }),
  }),
  loss: 'sparseCategoricalCrossentropy',
  metrics: ['accuracy'],
  seed: Number(values.seed),
});
const start = performance.now();
await trainer.fit(train, { epochs, batchSize, validationData: test, validationBatchSize: 500 });
const { accuracy = 0, loss } = await trainer.evaluate(test, { batchSize: 500 });
const seconds = (performance.now() - start) / 1000;
console.log(`test accuracy ${(accuracy * 100).toFixed(2)} %, loss ${loss?.toFixed(4)}, ${seconds.toFixed(0)} s`);
if (values.out !== undefined) await saveModel(trainer.model, values.out);
await trainer.dispose();
await backend.dispose();
if (accuracy < 0.992) process.exitCode = 1;

function block(filters: number): readonly Layer[] {
  return [conv2d({ filters, kernelSize: 3, activation: 'relu' }), batchNormalization({ momentum: 0.9 })];
}

function head(): readonly Layer[] {
  return [
    dropout({ rate: 0.4 }),
    dense({ units: 128, activation: 'relu' }),
    dropout({ rate: 0.4 }),
    dense({ units: 10, activation: 'softmax' }),
  ];
}

/** The images and labels whose file names contain one of `names`. */
function digits(...names: readonly string[]): Promise<Dataset> {
  const files = readdirSync(folder);
  const find = (kind: string): string => {
    const found = files.find((file) => file.includes(kind) && names.some((name) => file.includes(name)));
    if (found === undefined) throw new TypeError(`${folder} has no file of ${kind} for ${names.join(' or ')}`);
    return join(folder, found);
  };
  return fromIdxFiles(find('images-idx3'), find('labels-idx1'));
}
