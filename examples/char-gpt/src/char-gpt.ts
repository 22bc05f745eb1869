/**
 * Trains a small GPT on speeches, character by character, lets it write along the way, and saves it as ONNX with its
 * alphabet. `--text file` learns from a text of one's own; the other options are in settings.ts.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gpt } from '@modelwright/models';
import { createGenerator, fitCharacterTokenizer } from '@modelwright/text';
import {
  adamW,
  callback,
  cosineDecay,
  createTrainer,
  jsonlLogger,
  randomTokenBlocks,
  sparseCategoricalCrossentropy,
  tokenBlocks,
} from '@modelwright/training';
import { loadBackend, type Model, saveModel } from 'modelwright';
import { readSpeeches, readText } from './corpus.js';
import { settings } from './settings.js';

const started = performance.now();
const secondsSinceStart = (): number => (performance.now() - started) / 1000;
const folder = fileURLToPath(new URL('../output/', import.meta.url));
mkdirSync(folder, { recursive: true });
const place = (name: string): string => join(folder, name);

const corpus = settings.text === undefined ? readSpeeches(settings.since) : readText(settings.text);
const tokenizer = fitCharacterTokenizer(corpus.text, { minFrequency: corpus.leastFrequency });
const ids = Int32Array.from(tokenizer.encode(corpus.text));
const cut = Math.floor(ids.length * 0.9);
console.log(
  `${corpus.name}: ${ids.length} characters, ${tokenizer.vocabularySize} different; the last tenth is held out.`,
);

const { steps, batchSize, blockLength, rounds, seed } = settings;
const options = {
  vocabularySize: tokenizer.vocabularySize,
  sequenceLength: blockLength,
  layers: settings.layers,
  heads: settings.heads,
  width: settings.width,
  positions: settings.positions,
  seed,
};
const model = gpt(options);
console.log(`GPT of ${model.parameterCount} weights, ${steps} steps of ${batchSize} × ${blockLength} characters.\n`);

const stepsPerRound = Math.ceil(steps / rounds);
const training = randomTokenBlocks(ids.subarray(0, cut), { blockLength, count: stepsPerRound * batchSize, seed });
// Two thousand blocks tell enough; they are all of a text of a million characters.
const heldOut = tokenBlocks(ids.subarray(cut), { blockLength }).take(2000);
const warmupSteps = Math.min(100, Math.ceil(steps / 10));

const backend = await loadBackend(settings.backend);
const trainer = await createTrainer(model, {
  backend,
  optimizer: adamW({
    // From 0 to 10⁻³, then down to a tenth of it.
    learningRate: cosineDecay({
      initialLearningRate: 0,
      warmupTarget: 1e-3,
      warmupSteps,
      decaySteps: steps - warmupSteps,
      alpha: 0.1,
    }),
    beta2: 0.99,
    weightDecay: 0.1,
    excludeFromWeightDecay: (name) => /\.(bias|gamma|beta)$/.test(name),
    globalClipNorm: 1,
  }),
  loss: sparseCategoricalCrossentropy({ fromLogits: true }),
  seed,
});

// Weights of a run under way are read into a second model, which writes while the first one waits.
const sketch = gpt(options);
const shortSample = callback({
  name: 'sample',
  onEpochEnd: async (_, logs, run) => {
    sketch.setWeights(await run.readWeights());
    const [text] = await write(sketch, corpus.prompts.slice(0, 1), 80);
    const losses = `loss ${Number(logs['loss']).toFixed(3)}, held out ${Number(logs['val_loss']).toFixed(3)}`;
    console.log(
      `${secondsSinceStart().toFixed(0).padStart(4)} s  step ${run.step}  ${losses}  ${JSON.stringify(text)}`,
    );
  },
});
await trainer.fit(training, {
  epochs: rounds,
  batchSize,
  validationData: heldOut.take(200),
  verbose: 0,
  callbacks: [jsonlLogger(place('log.jsonl')), shortSample],
});
const trained = secondsSinceStart();
const { loss } = await trainer.evaluate(heldOut, { batchSize: 64 });
console.log(
  `\nLoss on what was held out: ${Number(loss).toFixed(4)} nats a character, after ${trained.toFixed(0)} s.\n`,
);

const prompts = settings.prompts ?? corpus.prompts;
const writing = performance.now();
const samples = await write(trainer.model, prompts, settings.length);
const characters = samples.reduce((sum, sample) => sum + [...sample].length, 0);
const pace = characters / ((performance.now() - writing) / 1000);
for (const [index, sample] of samples.entries()) console.log(`--- ${(prompts[index] as string) + sample}\n`);

await saveModel(trainer.model, place('char-gpt.onnx'));
writeFileSync(place('tokenizer.json'), JSON.stringify(tokenizer));
const result = { corpus: corpus.name, ...settings, weights: model.parameterCount, trainingSeconds: trained };
writeFileSync(place('result.json'), `${JSON.stringify({ ...result, heldOutLoss: loss, prompts, samples }, null, 2)}\n`);
await backend.dispose();

console.log(
  `${characters} characters written, ${pace.toFixed(0)} a second. Done in ${secondsSinceStart().toFixed(0)} s. Look at:`,
);
const results: readonly (readonly [string, string])[] = [
  ['char-gpt.onnx', 'the network (tokenizer.json has its alphabet)'],
  ['log.jsonl', 'loss of each round'],
  ['result.json', 'settings, loss and samples'],
];
for (const [name, what] of results) console.log(`  ${relative(process.cwd(), place(name)).padEnd(34)} ${what}`);

/** Continues prompts side by side, each by `length` characters. */
async function write(author: Model, prompts: readonly string[], length: number): Promise<string[]> {
  const generator = await createGenerator(author, { backend, tokenizer, maxLength: blockLength });
  const texts = prompts.map(() => '');
  const { temperature } = settings;
  // A row that has filled the block goes on from its newer half.
  const pieces = generator.generateText(prompts, { maxTokens: length, temperature, overflow: 'slide', seed });
  for await (const { row, text } of pieces) texts[row] += text;
  await generator.dispose();
  return texts;
}
