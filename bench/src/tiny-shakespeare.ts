/**
 * Trains a character GPT on the plays of Shakespeare and reports its loss on the last tenth of them: 4 layers, 4 heads, 128
 * wide, blocks of 64 characters, 12 a batch, 2,000 steps of AdamW.
 *
 * usage: tiny-shakespeare --data FILE [--steps 2000] [--backend onnxruntime] [--seed 1] [--out shakespeare.onnx]
 *
 * @see Karpathy, nanoGPT, the setting for a CPU.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import {
  adamW,
  cosineDecay,
  createGenerator,
  createTrainer,
  fitCharacterTokenizer,
  gpt,
  loadBackend,
  randomTokenBlocks,
  saveModel,
  sparseCategoricalCrossentropy,
  tokenBlocks,
} from 'modelwright';

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    steps: { type: 'string', default: '2000' },
    backend: { type: 'string', default: 'onnxruntime' },
    seed: { type: 'string', default: '1' },
    out: { type: 'string' },
  },
});
if (values.data === undefined) throw new TypeError('--data FILE is needed: the plays as one text');
const [steps, seed] = [Number(values.steps), Number(values.seed)];
const [batchSize, blockLength, rounds, warmupSteps, highestLoss] = [12, 64, 8, Math.min(100, steps / 10), 1.9];

const start = performance.now();
const text = readFileSync(values.data, 'utf8');
const tokenizer = fitCharacterTokenizer(text);
const ids = Int32Array.from(tokenizer.encode(text));
const cut = Math.floor(ids.length * 0.9);
const stepsPerRound = Math.ceil(steps / rounds);
const training = randomTokenBlocks(ids.subarray(0, cut), { blockLength, count: stepsPerRound * batchSize, seed });
const heldOut = tokenBlocks(ids.subarray(cut), { blockLength });
const { vocabularySize } = tokenizer;
const model = gpt({ vocabularySize, sequenceLength: blockLength, layers: 4, heads: 4, width: 128, seed });
console.log(`${model.parameterCount} weights, ${vocabularySize} characters`);

const backend = await loadBackend(values.backend);
const trainer = await createTrainer(model, {
  backend,
  optimizer: adamW({
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
await trainer.fit(training.batch(batchSize), { epochs: rounds, verbose: 2 });
const { loss = Number.NaN } = await trainer.evaluate(heldOut, { batchSize: 64 });
const seconds = (performance.now() - start) / 1000;

const generator = await createGenerator(trainer.model, { backend, tokenizer });
let sample = '';
const writing = { maxTokens: 500, temperature: 0.8, topK: 40, seed, overflow: 'slide' } as const;
for await (const piece of generator.generateText('\n', writing)) sample += piece.text;
console.log(`${sample}\n\nloss on held out text ${loss.toFixed(4)} after ${steps} steps and ${seconds.toFixed(0)} s`);
if (values.out !== undefined) await saveModel(trainer.model, values.out);
await generator.dispose();
await trainer.dispose();
await backend.dispose();
if (!(loss <= highestLoss)) process.exitCode = 1;
