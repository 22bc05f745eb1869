/**
 * What `Trainer.fit` costs over the best script by hand, in one process: epochs of both take turns, so that neither what
 * the machine does meanwhile nor when code was compiled falls on one of them alone.
 *
 * usage: overhead [--network mlp] [--steps 100] [--rounds 40] [--out results.local.json]
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Tensor } from '@modelwright/core';
import { createTrainer, fromArrays } from '@modelwright/training';
import { loadBackend } from 'modelwright';
import { quantile } from './measurement.js';
import { buildModel, inputTensor, networks, samplesOf } from './networks.js';
import { perceptronByHand } from './peers/perceptron-by-hand.js';

const { values } = parseArgs({
  options: {
    network: { type: 'string', default: 'mlp' },
    steps: { type: 'string', default: '100' },
    rounds: { type: 'string', default: '40' },
    out: { type: 'string' },
  },
});
const network = networks[values.network];
if (network === undefined) throw new TypeError(`no network '${values.network}'`);
const steps = Number(values.steps);
const perceptron = await perceptronByHand(network);
const backend = await loadBackend('onnxruntime');
const trainer = await createTrainer(buildModel(network), {
  backend,
  optimizer: 'adam',
  loss: 'sparseCategoricalCrossentropy',
  metrics: ['accuracy'],
  seed: 1,
});
const count = steps * network.batchSize;
const { x, y } = samplesOf(network, count);
const data = fromArrays({ x: inputTensor(network, x, count), y: new Tensor('int32', [count], y) })
  .shuffle({ seed: 1 })
  .batch(network.batchSize);

const ways: { readonly [name: string]: () => Promise<unknown> } = {
  'graph by hand': async () => {
    for (let step = 0; step < steps; step++) await perceptron.train();
  },
  fit: () => trainer.fit(data, { epochs: 1, verbose: 0 }),
};
const times = new Map(Object.keys(ways).map((name): [string, number[]] => [name, []]));
for (let round = -2; round < Number(values.rounds); round++) {
  for (const [name, run] of Object.entries(ways)) {
    const start = performance.now();
    await run();
    if (round >= 0) times.get(name)?.push((performance.now() - start) / steps);
  }
}
const [byHand = [], fit = []] = [...times.values()];
const ratios = fit.map((time, round) => time / (byHand[round] ?? Number.NaN));
const result = {
  network: network.name,
  rounds: Number(values.rounds),
  handMilliseconds: quantile(byHand, 0.5),
  fitMilliseconds: quantile(fit, 0.5),
  ratio: quantile(ratios, 0.5),
  quartiles: [quantile(ratios, 0.25), quantile(ratios, 0.75)],
};
const [low = 0, high = 0] = result.quartiles;
process.stdout.write(
  `${result.network}: by hand ${result.handMilliseconds.toFixed(2)} ms, fit ${result.fitMilliseconds.toFixed(2)} ms a step; ` +
    `fit over by hand, round by round: ${result.ratio.toFixed(2)} (quartiles ${low.toFixed(2)} and ${high.toFixed(2)})\n`,
);
if (values.out !== undefined) writeFileSync(values.out, `${JSON.stringify(result, undefined, 2)}\n`);
process.exit(0);
