/**
 * Makes a residual network for handwritten digits smaller and faster: half of its channels are pruned, what is left is
 * fine-tuned and quantized to 8 bits. What each step cost and gained is printed, and kept as JSON and as a page.
 *
 * usage: npm start [-- --epochs 3] [--ratio 0.5] [--images 8000] [--seed 1] [--max-loss 0.02]
 */

import { parseArgs } from 'node:util';
import { adam, cosineDecay, createTrainer, fromArrays } from '@modelwright/training';
import { fineTune, loadBackend, optimize, pruneChannels, quantize, resnet, tidy } from 'modelwright';
import { accuracyOf } from './accuracy.js';
import { type Digits, loadDigits } from './digits.js';
import { keep } from './keep.js';

const { values } = parseArgs({
  options: {
    epochs: { type: 'string', default: '3' },
    ratio: { type: 'string', default: '0.5' },
    images: { type: 'string', default: '8000' },
    seed: { type: 'string', default: '1' },
    'max-loss': { type: 'string', default: '0.02' },
  },
});
const [epochs, ratio, count, seed] = [values.epochs, values.ratio, values.images, values.seed].map(Number) as [
  number,
  number,
  number,
  number,
];
const batchSize = 64;
const digits = loadDigits();
const data = dataOf(digits.train).take(count);
const test = dataOf(digits.test);
const stepsAnEpoch = Math.ceil(Math.min(count, digits.train.count) / batchSize);
const rateFrom = (initialLearningRate: number): ReturnType<typeof adam> =>
  adam({ learningRate: cosineDecay({ initialLearningRate, decaySteps: epochs * stepsAnEpoch }) });

const backend = await loadBackend('onnxruntime');
const network = resnet({ depth: 18, baseFilters: 32, inputShape: [28, 28, 1], classes: 10, seed });
console.log(`${network.name}: ${network.parameterCount} weights, ${count} digits, ${epochs} epochs`);
const training = { loss: 'sparseCategoricalCrossentropy', metrics: ['accuracy'], seed } as const;
const trainer = await createTrainer(network, { ...training, backend, optimizer: rateFrom(3e-3) });
await trainer.fit(data, { epochs, batchSize, verbose: 2 });
await trainer.dispose();

const { model, report } = await optimize(network, {
  backend,
  calibration: data.take(256),
  evaluate: (candidate) => accuracyOf(candidate, test, { backend }),
  steps: [
    pruneChannels({ ratio, roundTo: 4 }),
    fineTune({ ...training, data, epochs, batchSize, optimizer: rateFrom(2e-3) }),
    tidy(),
    quantize({ mode: 'static', maxLoss: 0.003 }),
  ],
});
await backend.dispose();
report.print();
await keep('digits', { model, report });

const [before, after] = [report.record.stages[0], report.record.stages.at(-1)];
const lost = (before?.quality?.value ?? 1) - (after?.quality?.value ?? 0);
if (lost > Number(values['max-loss'])) {
  console.error(`lost ${(100 * lost).toFixed(2)} points of accuracy; ${100 * Number(values['max-loss'])} are allowed`);
  process.exitCode = 1;
}

function dataOf({ images, labels, count: examples }: Digits): ReturnType<typeof fromArrays> {
  return fromArrays({ x: { data: images, shape: [examples, 28, 28, 1] }, y: labels });
}
