/**
 * What dynamic int8 costs and gains where most is products and embeddings: a classifier of sentences (embedding and LSTM) on
 * SST-2, by its accuracy on the test sentences, and a character GPT on the plays of Shakespeare, by its perplexity on the last
 * tenth. Files are also run by onnxruntime-node called directly, with nothing of Modelwright in between.
 *
 * usage: dynamic --data FOLDER [--scale 1] [--epochs 4] [--steps 2000] [--seconds 2] [--out dynamic.json]
 *
 * FOLDER holds `sst2/{train,dev,test}.tsv` and `tinyshakespeare.txt`. `--scale 0.1` learns a tenth as long.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createPredictor, type Model, Tensor, type TensorMap, toNumbers } from '@modelwright/core';
import { dense, dropout, embedding, gpt, lstm, sequential } from '@modelwright/models';
import { writeOnnx } from '@modelwright/onnx';
import { type OptimizationReport, optimize, quantize } from '@modelwright/optimization';
import { encodeBatch, fitCharacterTokenizer, fitWordTokenizer } from '@modelwright/text';
import {
  adamW,
  cosineDecay,
  createTrainer,
  type Dataset,
  fromArrays,
  randomTokenBlocks,
  sparseCategoricalCrossentropy,
} from '@modelwright/training';
import { loadBackend } from 'modelwright';
import { InferenceSession, Tensor as RuntimeTensor } from 'onnxruntime-node';

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    scale: { type: 'string', default: '1' },
    epochs: { type: 'string', default: '4' },
    steps: { type: 'string', default: '2000' },
    seconds: { type: 'string', default: '2' },
    out: { type: 'string' },
  },
});
if (values.data === undefined) throw new TypeError('--data FOLDER is needed: where sst2/ and tinyshakespeare.txt lie');
const folder = values.data;
const [scale, seconds] = [Number(values.scale), Number(values.seconds)];
const [longest, blockLength, seed] = [56, 64, 1];
const backend = await loadBackend('onnxruntime');

const classifier = await classifierResult();
const language = await languageResult();
await backend.dispose();
console.log(`
LSTM classifier: lost ${classifier.lost.toFixed(2)} points, file ${classifier.smaller.toFixed(2)}× smaller
GPT: perplexity ${language.before.toFixed(3)} → ${language.after.toFixed(3)} (${language.rise.toFixed(2)} %), file ${language.smaller.toFixed(2)}× smaller
onnxruntime-node by itself gives the same outputs within ${classifier.difference.toExponential(1)} and ${language.difference.toExponential(1)}`);
if (values.out !== undefined)
  writeFileSync(values.out, `${JSON.stringify({ scale, classifier, language }, undefined, 2)}\n`);
// Sums that differ in their last digit may round to the next integer.
const oneStep = 3e-3;
if (classifier.lost > 0.5 || language.rise > 1 || Math.max(classifier.difference, language.difference) > oneStep)
  process.exitCode = 1;

async function classifierResult() {
  const train = sentencesOf('train');
  const tokenizer = fitWordTokenizer(train.texts, { split: 'whitespace', minFrequency: 2 });
  const examples = ({ texts, labels }: Sentences): Dataset =>
    fromArrays({ x: encodeBatch(tokenizer, texts, { length: longest }).ids, y: Int32Array.from(labels) });
  const model = sequential({
    name: 'sentences',
    inputShape: [longest],
    inputDType: 'int32',
    layers: [
      embedding({ inputDim: tokenizer.vocabularySize, outputDim: 96, maskZero: true }),
      dropout({ rate: 0.3 }),
      lstm({ units: 96 }),
      dropout({ rate: 0.3 }),
      dense({ units: 2, activation: 'softmax' }),
    ],
    seed,
  });
  const loss = 'sparseCategoricalCrossentropy';
  const trainer = await createTrainer(model, { backend, optimizer: 'adam', loss, metrics: ['accuracy'], seed });
  const epochs = Math.max(1, Math.round(Number(values.epochs) * scale));
  await trainer.fit(examples(train), { epochs, batchSize: 64, verbose: 2 });
  await trainer.dispose();
  const test = examples(sentencesOf('test'));
  const { model: small, report } = await optimize(model, {
    backend,
    calibration: examples(sentencesOf('dev')).map(({ inputs }) => ({ inputs })),
    evaluate: (candidate) => accuracyOf(candidate, test),
    steps: [quantize({ mode: 'dynamic' })],
    measure: { batch: 32, seconds },
  });
  report.print();
  const [before = 0, after = 0] = qualities(report);
  const { input, output } = namesOf(small);
  const ids = encodeBatch(tokenizer, sentencesOf('dev').texts.slice(0, 16), { length: longest }).ids;
  const difference = await differenceOf(small, { [input]: ids }, output);
  return { before, after, lost: (before - after) * 100, smaller: smallerBy(report), difference, record: report.record };
}

async function languageResult() {
  const text = readFileSync(join(folder, 'tinyshakespeare.txt'), 'utf8');
  const tokenizer = fitCharacterTokenizer(text);
  const ids = Int32Array.from(tokenizer.encode(text));
  const cut = Math.floor(ids.length * 0.9);
  const steps = Math.max(50, Math.round(Number(values.steps) * scale));
  const { vocabularySize } = tokenizer;
  const model = gpt({ vocabularySize, sequenceLength: blockLength, layers: 4, heads: 4, width: 128, seed });
  const learningRate = cosineDecay({
    initialLearningRate: 0,
    warmupTarget: 1e-3,
    warmupSteps: steps / 10,
    decaySteps: steps * 0.9,
  });
  const loss = sparseCategoricalCrossentropy({ fromLogits: true });
  const optimizer = adamW({ learningRate, beta2: 0.99, weightDecay: 0.1, globalClipNorm: 1 });
  const trainer = await createTrainer(model, { backend, optimizer, loss, seed });
  const blocks = randomTokenBlocks(ids.subarray(0, cut), { blockLength, count: steps * 12, seed });
  await trainer.fit(blocks.batch(12), { epochs: 1, verbose: 2 });
  await trainer.dispose();
  const heldOut = batchesOf(ids.subarray(cut), Math.round((ids.length - cut) * Math.min(1, scale * 2)));
  const { model: small, report } = await optimize(model, {
    backend,
    calibration: heldOut.slice(0, 1).map(({ inputs }) => inputs),
    // Larger is better there.
    evaluate: async (candidate) => -(await perplexityOf(candidate, heldOut)),
    steps: [quantize({ mode: 'dynamic' })],
    measure: { batch: 8, seconds },
  });
  report.print();
  const [before = 0, after = 0] = qualities(report).map((each) => -each);
  const [first] = heldOut as [Batch];
  const difference = await differenceOf(small, first.inputs, namesOf(small).output);
  const rise = (after / before - 1) * 100;
  return { before, after, rise, smaller: smallerBy(report), difference, record: report.record };
}

interface Sentences {
  readonly texts: readonly string[];
  readonly labels: readonly number[];
}

function sentencesOf(part: string): Sentences {
  const lines = readFileSync(join(folder, 'sst2', `${part}.tsv`), 'utf8')
    .trimEnd()
    .split('\n');
  const rows = lines.map((line) => line.split('\t') as [string, string]);
  return { texts: rows.map(([text]) => text), labels: rows.map(([, label]) => Number(label)) };
}

interface Batch {
  readonly inputs: TensorMap;
  /** The character that follows each one. */
  readonly targets: Int32Array;
}

/** The text in blocks, several a batch. */
function batchesOf(ids: Int32Array, count: number): readonly Batch[] {
  const [rows, length] = [32, blockLength];
  const batches: Batch[] = [];
  for (let start = 0; start + rows * length + 1 <= count; start += rows * length) {
    const tokens = new Tensor('int32', [rows, length], ids.slice(start, start + rows * length));
    batches.push({ inputs: { tokens }, targets: ids.slice(start + 1, start + rows * length + 1) });
  }
  return batches;
}

async function accuracyOf(model: Model, data: Dataset): Promise<{ value: number; count: number }> {
  const predictor = await createPredictor(model, backend);
  const { input, output } = namesOf(model);
  let [right, count] = [0, 0];
  for await (const { inputs, targets } of data.batch(256)) {
    const x = inputs instanceof Tensor ? { [input]: inputs } : (inputs as TensorMap);
    const scores = toNumbers((await predictor.predict(x))[output] as Tensor);
    const labels = toNumbers(targets as Tensor);
    labels.forEach((label, at) => {
      right += Number((scores[2 * at + 1] as number) > (scores[2 * at] as number)) === label ? 1 : 0;
    });
    count += labels.length;
  }
  await predictor.dispose();
  return { value: right / count, count };
}

async function perplexityOf(model: Model, batches: readonly Batch[]): Promise<number> {
  const predictor = await createPredictor(model, backend);
  const { output } = namesOf(model);
  let [sum, count] = [0, 0];
  for (const { inputs, targets } of batches) {
    const logits = (await predictor.predict(inputs))[output] as Tensor;
    const scores = toNumbers(logits);
    const symbols = logits.shape.at(-1) as number;
    for (const [at, target] of targets.entries()) {
      const row = scores.subarray(at * symbols, (at + 1) * symbols);
      const most = row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
      const total = row.reduce((all, each) => all + Math.exp(each - most), 0);
      sum += Math.log(total) + most - (row[target] as number);
    }
    count += targets.length;
  }
  await predictor.dispose();
  return Math.exp(sum / count);
}

function namesOf({ graph }: Model): { readonly input: string; readonly output: string } {
  return { input: graph.inputs[0]?.name ?? '', output: graph.outputs[0]?.name ?? '' };
}

function qualities({ record }: OptimizationReport): readonly number[] {
  return [record.stages[0], record.stages.at(-1)].map((stage) => stage?.quality?.value ?? Number.NaN);
}

function smallerBy({ record }: OptimizationReport): number {
  return (record.stages[0]?.fileBytes ?? 0) / (record.stages.at(-1)?.fileBytes ?? 1);
}

/** The largest difference between our backend and onnxruntime-node called directly, relative to the largest output. */
async function differenceOf(model: Model, inputs: TensorMap, output: string): Promise<number> {
  const predictor = await createPredictor(model, backend);
  const ours = toNumbers((await predictor.predict(inputs))[output] as Tensor);
  await predictor.dispose();
  const session = await InferenceSession.create(writeOnnx(model).bytes, { logSeverityLevel: 3 });
  const feeds = Object.entries(inputs).map(([name, { dtype, data, shape }]): [string, RuntimeTensor] => [
    name,
    new RuntimeTensor(dtype as 'int32', data as Int32Array, shape),
  ]);
  const direct = (await session.run(Object.fromEntries(feeds)))[output]?.data as Float32Array;
  await session.release();
  const largest = ours.reduce((most, each) => Math.max(most, Math.abs(each)), 0);
  return ours.reduce((most, each, at) => Math.max(most, Math.abs(each - (direct[at] as number))), 0) / largest;
}
