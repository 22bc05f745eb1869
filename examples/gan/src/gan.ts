/**
 * Training beyond `fit`: a generator learns to paint handwritten digits, and a discriminator to tell them from real ones. Each
 * has a training program and an optimizer of its own; both programs share the weights of both networks on the backend.
 */
import { mkdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Tensor } from '@modelwright/core';
import { dcgan } from '@modelwright/models';
import { adam, createJointTrainer, createRandom } from '@modelwright/training';
import { loadBackend, saveModel } from 'modelwright';
import { batchesOf, loadDigits, side } from './digits.js';
import { toText, writePicture } from './picture.js';

const { values } = parseArgs({
  options: {
    epochs: { type: 'string', default: '12' },
    images: { type: 'string', default: '10000' },
    filters: { type: 'string', default: '24' },
    seed: { type: 'string', default: '1' },
  },
});
const [epochs, imageCount, filters, seed] = [values.epochs, values.images, values.filters, values.seed].map(Number) as [
  number,
  number,
  number,
  number,
];
const [batchSize, latentSize] = [50, 64];
const started = performance.now();
const folder = fileURLToPath(new URL('../output/', import.meta.url));
mkdirSync(folder, { recursive: true });

// Uniform numbers become normal ones by the transform of Box and Muller.
const generatorOfNumbers = createRandom(seed);
const random = (): number => generatorOfNumbers.nextUint32() / 2 ** 32;
const normal = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
const noiseFor = (count: number): Tensor =>
  new Tensor('float32', [count, latentSize], Float32Array.from({ length: count * latentSize }, normal));

const { generator, discriminator } = dcgan({ imageShape: [side, side, 1], latentSize, filters, seed });
generator.summary();
discriminator.summary();

const backend = await loadBackend('onnxruntime');
const optimizer = adam({ learningRate: 4e-4, beta1: 0.5 });
const trainer = createJointTrainer({
  backend,
  seed,
  models: { generator, discriminator },
  steps: {
    discriminator: {
      trains: 'discriminator',
      optimizer,
      loss: ({ apply, meanLoss, arithmetic, input }) => {
        const painted = apply('generator', input('noise'));
        const onReal = meanLoss('binaryCrossentropy', apply('discriminator', input('real')), 0.9);
        const onPainted = meanLoss('binaryCrossentropy', apply('discriminator', painted), 0);
        return arithmetic.add(onReal, onPainted);
      },
    },
    generator: {
      trains: 'generator',
      optimizer,
      loss: ({ apply, meanLoss, input }) => {
        const painted = apply('generator', input('noise'));
        return meanLoss('binaryCrossentropy', apply('discriminator', painted), 1);
      },
    },
  },
});

const images = loadDigits(imageCount);
const shown = noiseFor(100);
console.log(`\nTraining on backend ${backend.name} (${backend.device}), ${images.length / side ** 2} digits:`);
for (let epoch = 1; epoch <= epochs; epoch++) {
  const [begun, sums] = [performance.now(), { discriminator: 0, generator: 0, batches: 0 }];
  for (const real of batchesOf(images, { batchSize, random })) {
    sums.discriminator += (await trainer.run('discriminator', { real, noise: noiseFor(batchSize) })).loss;
    sums.generator += (await trainer.run('generator', { noise: noiseFor(batchSize) })).loss;
    sums.batches++;
  }
  if (!Number.isFinite(sums.discriminator + sums.generator)) throw new RangeError('the training has diverged');
  const seconds = ((performance.now() - begun) / 1000).toFixed(1);
  const [judged, painted] = [sums.discriminator / sums.batches, sums.generator / sums.batches];
  console.log(
    `epoch ${epoch}/${epochs}: discriminator ${judged.toFixed(3)}, generator ${painted.toFixed(3)}, ${seconds} s`,
  );
}

// The same noise as ever, so that runs can be compared.
const { image } = await trainer.predict('generator', shown);
const picture = join(folder, 'digits.png');
writePicture(picture, image as Tensor, 10);
console.log(`\n${toText(image as Tensor, 4)}\n`);

await trainer.sync();
await saveModel(generator, join(folder, 'generator.onnx'));
await trainer.dispose();
await backend.dispose();

console.log(`Done in ${((performance.now() - started) / 1000).toFixed(0)} s. Look at:`);
console.log(`  ${relative(process.cwd(), picture).padEnd(34)} 100 digits that nobody has written`);
console.log(`  ${relative(process.cwd(), join(folder, 'generator.onnx')).padEnd(34)} the network that painted them`);
