/**
 * What 4- and 8-bit weights cost a character GPT: perplexity on the last tenth of the plays of Shakespeare, bytes of weights
 * and of the file, by rounding to nearest and by GPTQ, and whether onnxruntime-node called directly gives the same logits.
 *
 * usage: weight-only --data FILE [--scale 1] [--steps 2000] [--seed 1] [--out weight-only.json]
 *
 * FILE holds the plays as one text. `--scale 0.1` trains a tenth of the steps and reads a tenth of the held-out text.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { createPredictor, fromNumbers, type Model, Tensor, type TensorMap, toNumbers } from '@modelwright/core';
import { writeOnnx } from '@modelwright/onnx';
import { countWeights, quantizeWeightOnly, type WeightOnlyOptions } from '@modelwright/optimization';
import {
  adamW,
  cosineDecay,
  createTrainer,
  fitCharacterTokenizer,
  gpt,
  loadBackend,
  randomTokenBlocks,
  sparseCategoricalCrossentropy,
} from 'modelwright';
import { InferenceSession, Tensor as RuntimeTensor } from 'onnxruntime-node';
import { formatColumns } from '../table.js';

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    scale: { type: 'string', default: '1' },
    steps: { type: 'string', default: '2000' },
    seed: { type: 'string', default: '1' },
    out: { type: 'string' },
  },
});
if (values.data === undefined) throw new TypeError('--data FILE is needed: the plays as one text');
const [scale, seed] = [Number(values.scale), Number(values.seed)];
const steps = Math.round(Number(values.steps) * scale);
const [batchSize, blockLength, rowsAtOnce, calibrationBatches] = [12, 64, 64, 8];
const [smallestRatio, largestRise] = [5.5, 0.02];

const text = readFileSync(values.data, 'utf8');
const tokenizer = fitCharacterTokenizer(text);
const ids = Int32Array.from(tokenizer.encode(text));
const cut = Math.floor(ids.length * 0.9);
const backend = await loadBackend('onnxruntime');
const model = await trained();
const heldOut = batchesOf(ids.subarray(cut), Math.round((ids.length - cut) * Math.min(1, scale)));
const calibration = batchesOf(ids.subarray(0, cut))
  .slice(0, calibrationBatches)
  .map(({ inputs }) => inputs);

const variants: readonly (readonly [name: string, options: WeightOnlyOptions])[] = [
  ['int8', { bits: 8 }],
  ['int4 rtn, range', { scale: 'range' }],
  ['int4 rtn, embeddings too', { embeddingBits: 4 }],
  ['int4 rtn', {}],
  ['int4 rtn, zero points', { symmetric: false }],
  ['int4 gptq', { method: 'gptq' }],
  ['int4 gptq, embeddings too', { method: 'gptq', embeddingBits: 4 }],
  ['int4 gptq, in order', { method: 'gptq', activationOrder: false }],
  ['int4 gptq, zero points', { method: 'gptq', symmetric: false }],
  ['int4 gptq, float32 products', { method: 'gptq', accuracyLevel: 0 }],
  ['int4 gptq, DequantizeLinear', { method: 'gptq', target: 'dequantize' }],
];

interface Row {
  readonly name: string;
  readonly perplexity: number;
  readonly rise: number;
  readonly weightBytes: number;
  readonly ratio: number;
  readonly fileBytes: number;
  readonly fileDifference: number;
}

const rows: Row[] = [];
for (const [name, options] of [['float32', undefined] as const, ...variants]) {
  const small = options === undefined ? model : await quantizeWeightOnly(model, { ...options, backend, calibration });
  const { bytes } = writeOnnx(small, { trainingMetadata: false, valueInfo: false });
  const { weightBytes } = countWeights(small.graph);
  const perplexity = await perplexityOf(small);
  const [first] = rows;
  rows.push({
    name,
    perplexity,
    rise: first === undefined ? 0 : perplexity / first.perplexity - 1,
    weightBytes,
    ratio: first === undefined ? 1 : first.weightBytes / weightBytes,
    fileBytes: bytes.length,
    fileDifference: await fileDifference(small, bytes),
  });
  console.log(`${name}: perplexity ${perplexity.toFixed(4)}, ${weightBytes} bytes of weights`);
}
await backend.dispose();

const cells = rows.map((row) => [
  row.name,
  row.perplexity.toFixed(4),
  `${(row.rise * 100).toFixed(2)} %`,
  String(row.weightBytes),
  `${row.ratio.toFixed(2)}×`,
  String(row.fileBytes),
  row.fileDifference.toExponential(1),
]);
const heading = ['weights', 'perplexity', 'rise', 'bytes of weights', 'smaller', 'bytes of file', 'from the file'];
console.log(formatColumns([heading, ...cells]));
if (values.out !== undefined) writeFileSync(values.out, JSON.stringify({ steps, seed, scale, rows }, undefined, 2));
const gptq = rows.find(({ name }) => name === 'int4 gptq');
const isSame = rows.every(({ fileDifference: difference }) => difference < 1e-3);
if (gptq === undefined || gptq.ratio < smallestRatio || gptq.rise > largestRise || !isSame) process.exitCode = 1;

async function trained(): Promise<Model> {
  const { vocabularySize } = tokenizer;
  const untrained = gpt({ vocabularySize, sequenceLength: blockLength, layers: 4, heads: 4, width: 128, seed });
  const warmupSteps = Math.min(100, steps / 10);
  const learningRate = cosineDecay({
    initialLearningRate: 0,
    warmupTarget: 1e-3,
    warmupSteps,
    decaySteps: steps - warmupSteps,
    alpha: 0.1,
  });
  const trainer = await createTrainer(untrained, {
    backend,
    optimizer: adamW({
      learningRate,
      beta2: 0.99,
      weightDecay: 0.1,
      excludeFromWeightDecay: (name) => /\.(bias|gamma|beta)$/.test(name),
      globalClipNorm: 1,
    }),
    loss: sparseCategoricalCrossentropy({ fromLogits: true }),
    seed,
  });
  const blocks = randomTokenBlocks(ids.subarray(0, cut), { blockLength, count: steps * batchSize, seed });
  await trainer.fit(blocks.batch(batchSize), { epochs: 1, verbose: 0 });
  await trainer.dispose();
  return trainer.model;
}

interface Batch {
  readonly inputs: TensorMap;
  readonly targets: Int32Array;
}

/** Blocks one after the other, each with the characters that follow. */
function batchesOf(from: Int32Array, length = from.length): readonly Batch[] {
  const count = Math.floor((Math.min(length, from.length) - 1) / blockLength);
  const batches: Batch[] = [];
  for (let first = 0; first + rowsAtOnce <= count; first += rowsAtOnce) {
    const [begin, end] = [first * blockLength, (first + rowsAtOnce) * blockLength];
    const tokens = new Tensor('int32', [rowsAtOnce, blockLength], from.slice(begin, end));
    batches.push({ inputs: { tokens }, targets: from.slice(begin + 1, end + 1) });
  }
  return batches;
}

/** `exp` of the mean of `−log p(next character)`. */
async function perplexityOf(judged: Model): Promise<number> {
  const predictor = await createPredictor(judged, backend);
  let [sum, count] = [0, 0];
  for (const { inputs, targets } of heldOut) {
    const { logits } = await predictor.predict(inputs);
    const data = (logits as Tensor).data as Float32Array;
    const width = data.length / targets.length;
    targets.forEach((target, row) => {
      const own = data.subarray(row * width, (row + 1) * width);
      const most = own.reduce((a, b) => Math.max(a, b));
      const total = own.reduce((all, logit) => all + Math.exp(logit - most), 0);
      sum += Math.log(total) + most - (own[target] as number);
    });
    count += targets.length;
  }
  await predictor.dispose();
  return Math.exp(sum / count);
}

/** Largest difference of logits between our backend and the runtime's own binding given the file. */
async function fileDifference(judged: Model, bytes: Uint8Array): Promise<number> {
  const tokens = fromNumbers('int32', [2, blockLength], ids.subarray(cut, cut + 2 * blockLength));
  const predictor = await createPredictor(judged, backend);
  const { logits } = await predictor.predict({ tokens });
  await predictor.dispose();
  const session = await InferenceSession.create(bytes);
  const feeds = { tokens: new RuntimeTensor('int32', tokens.data as Int32Array, tokens.shape) };
  const { logits: direct } = await session.run(feeds);
  await session.release();
  const given = direct?.data as Float32Array;
  return toNumbers(logits as Tensor).reduce(
    (most, value, at) => Math.max(most, Math.abs(value - (given[at] as number))),
    0,
  );
}
