/** Modelwright as users drive it, on the backend that `BENCH_BACKEND` names: `Trainer.fit` with data loading and a metric, and a predictor. */
import { createPredictor, Tensor } from '@modelwright/core';
import { createTrainer, fromArrays } from '@modelwright/training';
import { loadBackend } from 'modelwright';
import { type Measurement, measureRuns, processorStopwatch, readRequest, report } from '../measurement.js';
import { buildModel, inputTensor, type Network, networks, samplesOf } from '../networks.js';
import { countLateTicks } from '../ticks.js';

/** How many times `fit` goes through the data; the first time compiles and warms up. */
const epochs = Number(process.env['BENCH_EPOCHS'] ?? 6);

const request = readRequest();
const network = networks[request.network];
if (network === undefined) throw new TypeError(`no network '${request.network}'`);
const model = buildModel(network);
const backend = await loadBackend(process.env['BENCH_BACKEND'] ?? 'onnxruntime');

if (request.mode === 'train') report(await timeFit(network, request.steps));
else if (request.mode === 'ticks') report({ milliseconds: await timeTicks(request.steps) });
else report(await timePredict(network, Number(request.mode.slice('predict'.length))));
await backend.dispose();

/**
 * The time from one batch to the next, read off where the batches come by: hooks for batches would make `fit` wait for
 * each. What it does at the end of an epoch falls on that epoch's last step.
 */
async function timeFit(network: Network, steps: number): Promise<Measurement> {
  const stepsPerEpoch = Math.max(5, Math.round(steps / 2));
  const count = stepsPerEpoch * network.batchSize;
  const { x, y } = samplesOf(network, count);
  const trainer = await createTrainer(model, {
    backend,
    optimizer: 'adam',
    loss: 'sparseCategoricalCrossentropy',
    metrics: ['accuracy'],
    seed: 1,
  });
  const moments: number[] = [];
  let stop = processorStopwatch();
  const data = fromArrays({
    x: inputTensor(network, x, count),
    y: new Tensor('int32', [count], y),
  })
    .shuffle({ seed: 1 })
    .batch(network.batchSize)
    .map((batch) => {
      if (moments.length === stepsPerEpoch) stop = processorStopwatch();
      moments.push(performance.now());
      return batch;
    });
  await trainer.fit(data, { epochs, verbose: 0 });
  const processorMilliseconds = stop((epochs - 1) * stepsPerEpoch);
  await trainer.dispose();
  const warm = moments.slice(stepsPerEpoch);
  const milliseconds = warm.slice(1).map((moment, index) => moment - (warm[index] as number));
  return { milliseconds, processorMilliseconds };
}

async function timePredict(network: Network, batchSize: number): Promise<Measurement> {
  const predictor = await createPredictor(model, backend);
  const { x } = samplesOf(network, batchSize);
  const input = inputTensor(network, x, batchSize);
  return measureRuns(request.steps, () => predictor.predict(input));
}

/** How late a timer of 5 ms is while predictions of about 100 ms run. */
async function timeTicks(runs: number): Promise<readonly number[]> {
  if (network === undefined) return [];
  const predictor = await createPredictor(model, backend);
  const input = inputTensor(network, samplesOf(network, 64).x, 64);
  await predictor.predict(input);
  return countLateTicks(async () => {
    for (let run = 0; run < runs; run++) await predictor.predict(input);
  });
}
