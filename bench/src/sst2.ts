/**
 * Trains Kim's convolutional network for sentences on SST-2, word vectors from scratch, and reports its accuracy on the test
 * sentences. The epoch is chosen by the sentences of `dev.tsv`.
 *
 * usage: sst2 --data FOLDER [--epochs 8] [--seed 1]
 *
 * FOLDER holds `train.tsv`, `dev.tsv` and `test.tsv`: a sentence, a tab, and 0 or 1 on each line.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { textCnn } from '@modelwright/models';
import { encodeBatch, fitWordTokenizer } from '@modelwright/text';
import { createTrainer, type Dataset, earlyStopping, fromArrays } from '@modelwright/training';
import { loadBackend } from 'modelwright';

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    epochs: { type: 'string', default: '8' },
    seed: { type: 'string', default: '1' },
  },
});
if (values.data === undefined)
  throw new TypeError('--data FOLDER is needed: where train.tsv, dev.tsv and test.tsv lie');
const folder = values.data;
const seed = Number(values.seed);
const longest = 56;

const train = sentencesOf('train');
const tokenizer = fitWordTokenizer(train.texts, { split: 'whitespace', minFrequency: 2 });
const model = textCnn({
  vocabularySize: tokenizer.vocabularySize,
  sequenceLength: longest,
  embeddingSize: 128,
  seed,
});
const backend = await loadBackend('onnxruntime');
const trainer = await createTrainer(model, {
  backend,
  optimizer: 'adam',
  loss: 'sparseCategoricalCrossentropy',
  metrics: ['accuracy'],
  seed,
});
const started = performance.now();
await trainer.fit(examplesOf(train), {
  epochs: Number(values.epochs),
  batchSize: 50,
  validationData: examplesOf(sentencesOf('dev')),
  validationBatchSize: 436,
  callbacks: [earlyStopping({ monitor: 'val_accuracy', patience: 2, restoreBestWeights: true })],
});
const { accuracy = 0 } = await trainer.evaluate(examplesOf(sentencesOf('test')), { batchSize: 1821 });
const seconds = (performance.now() - started) / 1000;
console.log(
  `SST-2 test accuracy ${(accuracy * 100).toFixed(2)} %, ${tokenizer.vocabularySize} words, ${seconds.toFixed(0)} s`,
);
await trainer.dispose();
await backend.dispose();
if (accuracy < 0.78) process.exitCode = 1;

interface Sentences {
  readonly texts: readonly string[];
  readonly labels: readonly number[];
}

function sentencesOf(part: string): Sentences {
  const lines = readFileSync(join(folder, `${part}.tsv`), 'utf8')
    .trimEnd()
    .split('\n');
  const rows = lines.map((line) => line.split('\t') as [string, string]);
  return { texts: rows.map(([text]) => text), labels: rows.map(([, label]) => Number(label)) };
}

function examplesOf({ texts, labels }: Sentences): Dataset {
  return fromArrays({ x: encodeBatch(tokenizer, texts, { length: longest }).ids, y: Int32Array.from(labels) });
}
