/**
 * The whole road in one program: define a network, train it on handwritten digits, save it as ONNX, load it again and
 * make sure that the file gives what was trained, in Modelwright and in ONNX Runtime alone.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { conv2d, dense, dropout, flatten, maxPooling2d, sequential } from '@modelwright/models';
import { createTrainer, fromArrays } from '@modelwright/training';
import { loadBackend, loadModel, saveModel, Tensor } from 'modelwright';
import { compareOutputs, runInOnnxRuntime } from './agreement.js';
import { type Digits, loadDigits } from './digits.js';
import { drawPredictions } from './draw.js';

const started = performance.now();
const folder = fileURLToPath(new URL('../output/', import.meta.url));
mkdirSync(folder, { recursive: true });
const place = (name: string): string => join(folder, name);

console.log('Reading 10,000 handwritten digits …');
const { train, test } = loadDigits();
const toDataset = ({ images, labels, count }: Digits) =>
  fromArrays({ x: { data: images, shape: [count, 28, 28, 1] }, y: labels });
const [trainSet, testSet] = [toDataset(train), toDataset(test)];

const model = sequential({
  name: 'digits',
  inputName: 'image',
  outputName: 'probabilities',
  inputShape: [28, 28, 1],
  layers: [
    conv2d({ filters: 32, kernelSize: 3, activation: 'relu' }),
    maxPooling2d({ poolSize: 2 }),
    conv2d({ filters: 64, kernelSize: 3, activation: 'relu' }),
    maxPooling2d({ poolSize: 2 }),
    flatten(),
    dropout({ rate: 0.5 }),
    dense({ units: 10, activation: 'softmax' }),
  ],
});
model.summary();

const backend = await loadBackend('onnxruntime');
console.log(`\nTraining on backend ${backend.name} (${backend.device}):`);
const trainer = await createTrainer(model, {
  backend,
  optimizer: 'adam',
  loss: 'sparseCategoricalCrossentropy',
  metrics: ['accuracy'],
  seed: 1,
});
const history = await trainer.fit(trainSet, { epochs: 12, batchSize: 64, validationData: testSet });
const { accuracy } = await trainer.evaluate(testSet, { batchSize: 250 });
console.log(`\nAccuracy on ${test.count} digits it has never seen: ${(100 * (accuracy as number)).toFixed(2)} %`);

await saveModel(trainer.model, place('digits.onnx'));
writeFileSync(place('history.html'), history.toHtml());
writeFileSync(place('history.json'), JSON.stringify(history, null, 2));

const image = new Tensor('float32', [test.count, 28, 28, 1], test.images);
const trained = (await trainer.predict(image))['probabilities'] as Tensor;
const digits = await loadModel(place('digits.onnx'), { backend });
const reloaded = (await digits.predict({ image }))['probabilities'] as Tensor;
const direct = await runInOnnxRuntime(place('digits.onnx'), { image });
console.log(`Reloaded file against the trained network: largest difference ${compareOutputs(trained, reloaded)}`);
console.log(`ONNX Runtime alone on the same file:       largest difference ${compareOutputs(trained, direct)}`);

const predicted = labelsOf(reloaded);
const mistakes = [...predicted.keys()].filter((index) => predicted[index] !== test.labels[index]);
const shown = [...Array.from({ length: 20 }, (_, index) => index), ...mistakes.slice(0, 10)];
drawPredictions(
  place('predictions.png'),
  test,
  shown.map((index) => ({ index, predicted: predicted[index] as number })),
);
await backend.dispose();

console.log(`\nDone in ${((performance.now() - started) / 1000).toFixed(0)} s. Look at:`);
const results: readonly (readonly [string, string])[] = [
  ['digits.onnx', 'the network; Netron and every ONNX runtime open it'],
  ['predictions.png', '20 digits with their predictions, then some that it got wrong'],
  ['history.html', 'loss and accuracy by epoch (history.json has the numbers)'],
];
for (const [name, what] of results) console.log(`  ${relative(process.cwd(), place(name)).padEnd(34)} ${what}`);

function labelsOf(probabilities: Tensor): number[] {
  const [rows, classes] = probabilities.shape as readonly [number, number];
  const data = probabilities.data as Float32Array;
  return Array.from({ length: rows }, (_, row) => {
    const scores = data.subarray(row * classes, (row + 1) * classes);
    return scores.indexOf(Math.max(...scores));
  });
}
