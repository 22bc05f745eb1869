/**
 * Tells spam from other mail: three networks of different kinds, trained here, beside logistic regression on a bag of words.
 * All are judged by mails that none of them has seen.
 *
 * usage: npm start [-- --split fifth|later] [--networks bagOfWords,textCnn,lstm,transformer] [--seed 1] [--json]
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Tensor } from '@modelwright/core';
import { encodeBatch, fitWordTokenizer } from '@modelwright/text';
import { type Dataset, fromArrays } from '@modelwright/training';
import { loadBackend } from 'modelwright';
import { type Contestant, type Judgement, judge } from './judge.js';
import { loadMails, type Mails } from './mails.js';
import { attentive, bagOfWords, convolutional, recurrent } from './networks.js';
import { fitWordWeights } from './word-weights.js';

const { values } = parseArgs({
  options: {
    split: { type: 'string', default: 'fifth' },
    networks: { type: 'string', default: 'bagOfWords,textCnn,lstm,transformer' },
    seed: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
  },
});
if (values.split !== 'fifth' && values.split !== 'later') throw new RangeError("--split is 'fifth' or 'later'");
const quiet = values.json;
const seed = Number(values.seed);
const length = 200;
const batchSize = 64;

if (!quiet) console.log('Reading 6,046 mails …');
const mails = loadMails(values.split);
const { train, validation, test } = mails;
const tokenizer = fitWordTokenizer(train.texts.map(shapeOfNumbers), {
  split: 'wordsAndMarks',
  minFrequency: 3,
  maxSize: 10_000,
});
const { vocabularySize } = tokenizer;
const reading = { vocabularySize, length, seed };

const rows = (part: Mails): Dataset => {
  const { ids } = encodeBatch(tokenizer, part.texts.map(shapeOfNumbers), { length });
  return fromArrays({ x: ids, y: { data: Float32Array.from(part.labels), shape: [part.labels.length, 1] } });
};
const sequences = {
  train: rows(train).shuffle({ seed }).batch(batchSize),
  validation: rows(validation).batch(batchSize),
  test: rows(test).batch(batchSize),
};

const contestants: readonly Contestant[] = [
  { name: 'bagOfWords', model: bagOfWords(reading), ...bags(), epochs: 20, learningRate: 0.02 },
  { name: 'textCnn', model: convolutional(reading), ...sequences, epochs: 6, learningRate: 2e-3 },
  { name: 'lstm', model: recurrent(reading), ...sequences, epochs: 7, learningRate: 2e-3 },
  { name: 'transformer', model: attentive(reading), ...sequences, epochs: 5, learningRate: 2e-3 },
];

const backend = await loadBackend('onnxruntime');
const judgements: Judgement[] = [];
const wanted = values.networks.split(',');
for (const contestant of contestants.filter(({ name }) => wanted.includes(name))) {
  judgements.push(await judge(contestant, { backend, mails, seed, quiet }));
}
await backend.dispose();

const report = {
  split: values.split,
  mails: { train: train.labels.length, validation: validation.labels.length, test: test.labels.length },
  vocabularySize,
  words: length,
  judgements,
};
const folder = fileURLToPath(new URL('../output/', import.meta.url));
mkdirSync(folder, { recursive: true });
writeFileSync(`${folder}spam.json`, `${JSON.stringify(report, null, 2)}\n`);
console.log(quiet ? JSON.stringify(report, null, 2) : tableOf(judgements));
if (Math.max(...judgements.map(({ accuracy }) => accuracy)) < 0.97) process.exitCode = 1;

/** Which number stands somewhere matters less than that one does, and how long it is. */
function shapeOfNumbers(text: string): string {
  return text.replace(/\d/g, '0');
}

/** The words of whole mails, weighed by how telling they are, without their order. */
function bags(): Pick<Contestant, 'train' | 'validation' | 'test'> {
  const idsOf = ({ texts }: Mails): readonly (readonly number[])[] =>
    texts.map((text) => tokenizer.encode(shapeOfNumbers(text)));
  const weigh = fitWordWeights(idsOf(train), vocabularySize);
  const batches = (part: Mails, shuffled = false): Dataset => {
    const words = idsOf(part);
    const labels = { data: Float32Array.from(part.labels), shape: [words.length, 1] };
    const examples = fromArrays({ x: Int32Array.from(words.keys()), y: labels });
    const ordered = shuffled ? examples.shuffle({ seed }) : examples;
    return ordered.batch(batchSize).map(({ inputs, ...sample }) => {
      const chosen = Array.from((inputs as Tensor<'int32'>).data, (index) => words[index] as readonly number[]);
      return { ...sample, inputs: weigh(chosen) };
    });
  };
  return { train: batches(train, true), validation: batches(validation), test: batches(test) };
}

function tableOf(all: readonly Judgement[]): string {
  const percent = (share: number): string => `${(100 * share).toFixed(2)} %`.padStart(10);
  const lines = all.map(
    ({ name, weights, accuracy, spamCaught, mailLost, seconds }) =>
      `${name.padEnd(18)}${String(weights).padStart(9)}${percent(accuracy)}${percent(spamCaught).padStart(13)}${percent(mailLost).padStart(11)}${`${seconds.toFixed(0)} s`.padStart(10)}`,
  );
  const head = `${''.padEnd(18)}${'weights'.padStart(9)}${'accuracy'.padStart(10)}${'spam caught'.padStart(13)}${'mail lost'.padStart(11)}${'training'.padStart(10)}`;
  return [`\nOn ${test.labels.length} mails that were held out:\n`, head, ...lines].join('\n');
}
