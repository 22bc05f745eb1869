/**
 * Makes a text model smaller and faster: a convolutional network that tells spam from other mail teaches a network an eighth
 * of its size, which is then quantized to 8 bits as it runs (dynamically). The same student is trained alone beside it.
 *
 * usage: npm run text [-- --epochs 6] [--mails 4400] [--seed 1] [--max-loss 0.02]
 */

import { parseArgs } from 'node:util';
import type { Model } from '@modelwright/core';
import { dense, embedding, globalAveragePooling1d, sequential, textCnn } from '@modelwright/models';
import { encodeBatch, fitWordTokenizer } from '@modelwright/text';
import { adam, balancedClassWeights, createTrainer, type Dataset, fromArrays } from '@modelwright/training';
import { distil, fineTune, loadBackend, optimize, quantize } from 'modelwright';
import { accuracyOf } from './accuracy.js';
import { keep } from './keep.js';
import { loadMails, type Mails } from './mails.js';

const { values } = parseArgs({
  options: {
    epochs: { type: 'string', default: '6' },
    mails: { type: 'string', default: '4400' },
    seed: { type: 'string', default: '1' },
    'max-loss': { type: 'string', default: '0.02' },
  },
});
const [epochs, count, seed] = [Number(values.epochs), Number(values.mails), Number(values.seed)];
const [length, batchSize, studentEpochs, studentRate] = [200, 64, 2 * epochs, 4e-3];

const mails = loadMails('fifth');
const tokenizer = fitWordTokenizer(mails.train.texts.map(shapeOfNumbers), {
  split: 'wordsAndMarks',
  minFrequency: 3,
  maxSize: 10_000,
});
const { vocabularySize } = tokenizer;
const train = rows(mails.train).shuffle({ seed }).take(count);
const test = rows(mails.test);
const classWeight = balancedClassWeights(mails.train.labels);

const backend = await loadBackend('onnxruntime');
const training = { loss: 'binaryCrossentropy', metrics: ['accuracy'], seed } as const;
const teacher = textCnn({ vocabularySize, sequenceLength: length, embeddingSize: 32, filters: 64, classes: 1, seed });
console.log(`${teacher.name}: ${teacher.parameterCount} weights, ${train.cardinality} mails, ${epochs} epochs`);
await learn(teacher, epochs, 2e-3);

const alone = smallNetwork('alone');
await learn(alone, studentEpochs);
const byItself = await accuracyOf(alone, test, { backend });

const { model, report } = await optimize(teacher, {
  backend,
  calibration: train.take(256),
  evaluate: (candidate) => accuracyOf(candidate, test, { backend }),
  steps: [
    distil({
      student: smallNetwork('student'),
      train: fineTune({
        ...training,
        data: train,
        epochs: studentEpochs,
        batchSize,
        classWeight,
        optimizer: adam({ learningRate: studentRate }),
      }),
      temperature: 2,
      alpha: 0.7,
    }),
    quantize({ mode: 'dynamic' }),
  ],
});
await backend.dispose();
report.print();
console.log(`\nthe student, trained alone: accuracy ${(100 * byItself.value).toFixed(2)} %`);
await keep('spam', { model, report });

const [before, after] = [report.record.stages[0], report.record.stages.at(-1)];
const lost = (before?.quality?.value ?? 1) - (after?.quality?.value ?? 0);
if (lost > Number(values['max-loss'])) {
  console.error(`lost ${(100 * lost).toFixed(2)} points of accuracy; ${100 * Number(values['max-loss'])} are allowed`);
  process.exitCode = 1;
}

async function learn(network: Model, rounds: number, learningRate = studentRate): Promise<void> {
  const trainer = await createTrainer(network, { ...training, backend, optimizer: adam({ learningRate }) });
  await trainer.fit(train, { epochs: rounds, batchSize, classWeight, verbose: 2 });
  await trainer.dispose();
}

/** Averages vectors of words, and thinks once about it. */
function smallNetwork(name: string): Model {
  return sequential({
    name,
    seed,
    inputShape: [length],
    layers: [
      embedding({ inputDim: vocabularySize, outputDim: 4, maskZero: true }),
      globalAveragePooling1d(),
      dense({ units: 16, activation: 'relu' }),
      dense({ units: 1, activation: 'sigmoid' }),
    ],
  });
}

function rows({ texts, labels }: Mails): Dataset {
  const { ids } = encodeBatch(tokenizer, texts.map(shapeOfNumbers), { length });
  return fromArrays({ x: ids, y: { data: Float32Array.from(labels), shape: [labels.length, 1] } });
}

/** Which number stands somewhere matters less than that one does, and how long it is. */
function shapeOfNumbers(text: string): string {
  return text.replace(/\d/g, '0');
}
