/**
 * A CNN with 32 and 64 filters learns the complete MNIST and is then quantized to static int8: what it loses of its
 * accuracy on the 10,000 test digits, how much smaller its file is, and how much faster it runs, measured side by side in
 * one run. The file is also run by onnxruntime-node called directly, with nothing of Modelwright in between.
 *
 * usage: mnist-int8 --data FOLDER [--scale 1] [--epochs 4] [--seconds 2] [--out mnist-int8.json]
 *
 * FOLDER holds the four IDX files, gzipped or not. `--scale 0.1` learns from every tenth of the digits.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { createPredictor, type Model, type Tensor } from '@modelwright/core';
import { batchNormalization, conv2d, dense, dropout, flatten, maxPooling2d, sequential } from '@modelwright/models';
import { writeOnnx } from '@modelwright/onnx';
import { optimize, quantize } from '@modelwright/optimization';
import { adam, cosineDecay, createTrainer } from '@modelwright/training';
import { loadBackend } from 'modelwright';
import { InferenceSession, Tensor as RuntimeTensor } from 'onnxruntime-node';
import { readDigits } from './digits.js';

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    scale: { type: 'string', default: '1' },
    epochs: { type: 'string', default: '4' },
    seconds: { type: 'string', default: '2' },
    out: { type: 'string' },
  },
});
if (values.data === undefined) throw new TypeError('--data FOLDER is needed: where the IDX files of MNIST lie');
const [scale, epochs, seconds] = [Number(values.scale), Number(values.epochs), Number(values.seconds)];
const batchSize = 128;
const loss = 'sparseCategoricalCrossentropy';

const train = await readDigits(values.data, 'train', scale);
const test = await readDigits(values.data, 'test');
const backend = await loadBackend('onnxruntime');

const model = sequential({
  name: 'mnist',
  inputShape: [28, 28, 1],
  layers: [
    ...block(32),
    maxPooling2d({ poolSize: 2 }),
    ...block(64),
    maxPooling2d({ poolSize: 2 }),
    flatten(),
    dropout({ rate: 0.4 }),
    dense({ units: 128, activation: 'relu' }),
    dropout({ rate: 0.4 }),
    dense({ units: 10, activation: 'softmax' }),
  ],
});
const decaySteps = epochs * Math.ceil(Math.round(60_000 * scale) / batchSize);
const optimizer = adam({ learningRate: cosineDecay({ initialLearningRate: 2e-3, decaySteps }) });
const trainer = await createTrainer(model, { backend, optimizer, loss, metrics: ['accuracy'], seed: 1 });
await trainer.fit(train, { epochs, batchSize });
await trainer.dispose();

const { model: small, report } = await optimize(model, {
  backend,
  calibration: train.take(512),
  evaluate: async (candidate) => ({ value: await accuracyOf(candidate), count: 10_000 }),
  steps: [quantize({ mode: 'static', maxLoss: 0.003 })],
  measure: { batch: 64, seconds },
});
report.print();

const difference = await runDirectly(small);
const [before, after] = [report.record.stages[0], report.record.stages.at(-1)];
const lost = ((before?.quality?.value ?? 0) - (after?.quality?.value ?? 0)) * 100;
const smaller = (before?.fileBytes ?? 0) / (after?.fileBytes ?? 1);
const faster = after?.speeds[0]?.throughput.speedup;
console.log(`
lost ${lost.toFixed(2)} points, file ${smaller.toFixed(2)}× smaller, batch 64 ${faster?.median.toFixed(2)}× faster
onnxruntime-node by itself gives the same outputs within ${difference.toExponential(1)}`);
if (values.out !== undefined) {
  writeFileSync(values.out, JSON.stringify({ lost, smaller, faster, difference, record: report }, undefined, 2));
}
await backend.dispose();
if (lost > 0.3 || smaller < 3.7 || (faster?.median ?? 0) < 1.5 || difference > 1e-5) process.exitCode = 1;

function block(filters: number) {
  return [conv2d({ filters, kernelSize: 3, activation: 'relu' }), batchNormalization({ momentum: 0.9 })];
}

async function accuracyOf(candidate: Model): Promise<number> {
  const predictor = await createPredictor(candidate, backend);
  let [right, count] = [0, 0];
  for await (const { inputs, targets } of test.batch(500)) {
    const [scores] = Object.values(await predictor.predict(inputs as Tensor));
    const labels = (targets as Tensor).data as ArrayLike<number>;
    const rows = scores?.data as Float32Array;
    for (let row = 0; row < labels.length; row++) {
      const own = rows.subarray(row * 10, row * 10 + 10);
      if (own.indexOf(Math.max(...own)) === Number(labels[row])) right++;
    }
    count += labels.length;
  }
  await predictor.dispose();
  return right / count;
}

/** Largest difference between what our backend and the runtime's own interface make of the file. */
async function runDirectly(candidate: Model): Promise<number> {
  for await (const { inputs } of test.batch(64)) {
    const { data, shape } = inputs as Tensor;
    const session = await InferenceSession.create(writeOnnx(candidate).bytes);
    const feeds = { [session.inputNames[0] as string]: new RuntimeTensor('float32', data as Float32Array, shape) };
    const direct = (await session.run(feeds))[session.outputNames[0] as string]?.data as Float32Array;
    const predictor = await createPredictor(candidate, backend);
    const [ours] = Object.values(await predictor.predict(inputs as Tensor));
    await predictor.dispose();
    return direct.reduce((most, value, at) => Math.max(most, Math.abs(value - Number(ours?.data[at]))), 0);
  }
  return Number.NaN;
}
