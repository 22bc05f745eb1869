/** The zoo's GPT-2 in a small size, trained by `Trainer.fit` with data loading, as users drive it. */
import { Tensor } from '@modelwright/core';
import { gpt } from '@modelwright/models';
import { createTrainer, fromArrays, sparseCategoricalCrossentropy } from '@modelwright/training';
import { loadBackend } from 'modelwright';
import { processorStopwatch, readRequest, report } from '../measurement.js';

const [vocabularySize, sequenceLength, batchSize] = [65, 64, 16];
const { steps } = readRequest();
const stepsPerEpoch = Math.max(5, Math.round(steps / 2));
const tokens = randomTokens(stepsPerEpoch * batchSize * sequenceLength);
const shape = [stepsPerEpoch * batchSize, sequenceLength];
const backend = await loadBackend(process.env['BENCH_BACKEND'] ?? 'onnxruntime');
const built = performance.now();
const trainer = await createTrainer(gpt({ vocabularySize, sequenceLength, layers: 4, heads: 4, width: 128 }), {
  backend,
  optimizer: 'adam',
  loss: sparseCategoricalCrossentropy({ fromLogits: true }),
  seed: 1,
});
const batchShape = [batchSize, sequenceLength];
const some = new Tensor('int32', batchShape, tokens.slice(0, batchSize * sequenceLength));
await trainer.trainOnBatch({ inputs: { tokens: some }, targets: some });
const firstStepMilliseconds = Math.round(performance.now() - built);
const moments: number[] = [];
let stop = processorStopwatch();
const data = fromArrays({
  x: new Tensor('int32', shape, tokens),
  y: new Tensor('int32', shape, tokens.slice().reverse()),
})
  .shuffle({ seed: 1 })
  .batch(batchSize)
  .map((batch) => {
    if (moments.length === stepsPerEpoch) stop = processorStopwatch();
    moments.push(performance.now());
    return batch;
  });
await trainer.fit(data, { epochs: 3, verbose: 0 });
const processorMilliseconds = stop(2 * stepsPerEpoch);
await trainer.dispose();
await backend.dispose();
const warm = moments.slice(stepsPerEpoch);
const milliseconds = warm.slice(1).map((moment, index) => moment - (warm[index] as number));
report({ milliseconds, processorMilliseconds, notes: { firstStepMilliseconds } });

function randomTokens(count: number): Int32Array {
  let state = 1;
  return Int32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * vocabularySize);
  });
}
