/**
 * A small network in the manner of MobileNetV2 learns MNIST and becomes integers in two ways: after training, with ranges
 * from samples, and by training on with rounding. Each way with 8 bits and fewer, with one scale a channel or one for all;
 * accuracy on the 10,000 test digits is that of the integer files, run by ONNX Runtime.
 *
 * usage: quantize-aware --data FOLDER [--scale 1] [--epochs 4] [--tune 2] [--out quantize-aware.json]
 *
 * FOLDER holds the four IDX files, gzipped or not. `--scale 0.1` learns from a tenth of the digits.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { createPredictor, type Model, type Tensor } from '@modelwright/core';
import {
  add,
  batchNormalization,
  conv2d,
  dense,
  depthwiseConv2d,
  globalAveragePooling2d,
  input,
  model as network,
  reLU,
  type SymbolicTensor,
} from '@modelwright/models';
import {
  exportQuantized,
  foldBatchNormalization,
  type QuantizationAwareOptions,
  quantizationAware,
  quantizeStatic,
  withGraph,
} from '@modelwright/optimization';
import { adam, cosineDecay, createTrainer, sgd } from '@modelwright/training';
import { loadBackend } from 'modelwright';
import { readDigits } from './digits.js';

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    scale: { type: 'string', default: '1' },
    epochs: { type: 'string', default: '4' },
    tune: { type: 'string', default: '2' },
    out: { type: 'string' },
  },
});
if (values.data === undefined) throw new TypeError('--data FOLDER is needed: where the IDX files of MNIST lie');
const [scale, epochs, tuneEpochs] = [Number(values.scale), Number(values.epochs), Number(values.tune)];
const batchSize = 128;
const loss = 'sparseCategoricalCrossentropy';

interface Variant {
  readonly name: string;
  readonly options: QuantizationAwareOptions;
}

const variants: readonly Variant[] = [
  { name: '8 bits, a scale a channel', options: {} },
  { name: '8 bits, one scale for all', options: { perChannel: false } },
  { name: '4-bit weights, a scale a channel', options: { weightBits: 4 } },
  { name: '4-bit weights, one scale for all', options: { weightBits: 4, perChannel: false } },
  { name: '4-bit weights, 5-bit activations', options: { weightBits: 4, activationBits: 5 } },
  { name: 'the same, ranges learned', options: { weightBits: 4, activationBits: 5, ranges: 'learned' } },
];

const train = await readDigits(values.data, 'train', scale);
const test = await readDigits(values.data, 'test');
const stepsAnEpoch = Math.ceil((train.cardinality ?? 0) / batchSize);
const backend = await loadBackend('onnxruntime');
const float = mobileNetwork();
await fit(float, epochs, 3e-3);
const before = await accuracyOf(float);
// What the same steps of training give without any rounding.
const longer = withGraph(float, float.graph);
await fit(longer, tuneEpochs, 1e-3);
const trainedOn = await accuracyOf(longer);
console.log(
  `float: ${percent(before)} of the test digits, ${float.parameterCount} weights; trained on: ${percent(trainedOn)}\n`,
);

interface Row {
  readonly name: string;
  /** Accuracies of the integer files. */
  readonly after: number;
  readonly aware: number;
}

const rows: Row[] = [];
console.log(`${'points lost'.padEnd(36)}${'after training'.padStart(16)}${'while training'.padStart(16)}`);
for (const { name, options } of variants) {
  const after = await accuracyOf(await quantizedAfter(options));
  const aware = await accuracyOf(await quantizedWhile(options));
  rows.push({ name, after, aware });
  console.log(`${name.padEnd(36)}${lost(after).padStart(16)}${lost(aware).padStart(16)}`);
}
const hard = rows.filter(({ after }) => before - after > 0.01);
const isBetter = hard.length > 0 && hard.every(({ after, aware }) => aware >= after);
console.log(
  `\nin ${hard.length} of ${rows.length} rows quantization after training loses more than a point` +
    (hard.length > 0
      ? `; training with rounding ${isBetter ? 'loses less in each' : 'does not always lose less'}`
      : ''),
);
if (values.out !== undefined)
  writeFileSync(values.out, JSON.stringify({ scale, float: before, trainedOn, rows }, undefined, 2));
await backend.dispose();
if (!isBetter) process.exitCode = 1;

function percent(accuracy: number): string {
  return `${(accuracy * 100).toFixed(2)} %`;
}

function lost(accuracy: number): string {
  return ((before - accuracy) * 100).toFixed(2);
}

function mobileNetwork(): Model {
  const image = input({ shape: [28, 28, 1], name: 'image' });
  let x = normalized(conv2d({ filters: 12, kernelSize: 3, strides: 2, ...plain() })(image));
  for (const [filters, strides] of [
    [16, 2],
    [16, 1],
    [24, 1],
    [24, 1],
  ] as const)
    x = block(x, { filters, strides });
  x = normalized(conv2d({ filters: 96, kernelSize: 1, ...plain() })(x));
  const scores = dense({ units: 10, activation: 'softmax' })(globalAveragePooling2d()(x));
  return network({ inputs: image, outputs: scores, name: 'mobile' });
}

function plain() {
  return { padding: 'same', useBias: false } as const;
}

function normalized(x: SymbolicTensor): SymbolicTensor {
  return reLU({ maxValue: 6 })(batchNormalization({ momentum: 0.9 })(x));
}

/** An inverted residual: wide, each channel by itself, narrow again without an activation. */
function block(x: SymbolicTensor, { filters, strides }: { filters: number; strides: number }): SymbolicTensor {
  const channels = x.shape.at(-1) as number;
  const wide = normalized(conv2d({ filters: channels * 4, kernelSize: 1, ...plain() })(x));
  const filtered = normalized(depthwiseConv2d({ kernelSize: 3, strides, ...plain() })(wide));
  const narrow = batchNormalization({ momentum: 0.9 })(conv2d({ filters, kernelSize: 1, ...plain() })(filtered));
  return strides === 1 && channels === filters ? add()([x, narrow]) : narrow;
}

async function fit(model: Model, rounds: number, rate: number): Promise<void> {
  const learningRate = cosineDecay({ initialLearningRate: rate, decaySteps: rounds * stepsAnEpoch });
  const trainer = await createTrainer(model, { backend, optimizer: adam({ learningRate }), loss, seed: 1 });
  await trainer.fit(train, { epochs: rounds, batchSize, verbose: 0 });
  await trainer.dispose();
}

/** Ranges of samples; of fewer than 8 bits, by steps of training that change no weight. */
async function quantizedAfter(options: QuantizationAwareOptions): Promise<Model> {
  const { weightBits = 8, activationBits = 8, perChannel = true } = options;
  const samples = train.take(1024);
  if (weightBits === 8 && activationBits === 8) {
    const calibration = async function* () {
      for await (const { inputs } of samples.batch(batchSize)) yield { image: inputs as Tensor };
    };
    const scheme = { weight: 'uint8', perChannel } as const;
    return quantizeStatic(foldBatchNormalization(float), { backend, calibration, scheme });
  }
  const aware = quantizationAware(float, { weightBits, activationBits, perChannel, freezeStatisticsAfter: 0 });
  const trainer = await createTrainer(aware, { backend, optimizer: sgd({ learningRate: 0 }), loss });
  await trainer.fit(samples, { epochs: 1, batchSize, verbose: 0 });
  await trainer.dispose();
  return exportQuantized(aware, { weights: 'uint8' });
}

// uint8 weights: exact on every CPU.
async function quantizedWhile(options: QuantizationAwareOptions): Promise<Model> {
  const steps = tuneEpochs * stepsAnEpoch;
  const freezing = { freezeStatisticsAfter: Math.round(steps * 0.5), freezeRangesAfter: Math.round(steps * 0.75) };
  const learning = options.ranges === 'learned' ? { freezeRangesAfter: Math.round(steps * 0.1) } : {};
  const aware = quantizationAware(float, { ...options, ...freezing, ...learning });
  await fit(aware, tuneEpochs, 1e-3);
  return exportQuantized(aware, { weights: 'uint8' });
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
