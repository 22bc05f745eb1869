/**
 * What half of the channels cost and save: every network of the zoo loses them, and gives the same as before with zeros in
 * their place. With `--train` a ResNet-20 learns MNIST, loses half of its channels and is trained on.
 *
 * usage: prune-channels [--networks resnet20,gpt] [--ratio 0.5] [--batch 64] [--runs 20] [--file model.onnx] [--out prune-channels.json]
 *        prune-channels --train --data FOLDER [--scale 1] [--epochs 4] [--tune 3]
 *
 * FOLDER holds the four IDX files of MNIST, gzipped or not; `--scale 0.1` learns from the first tenth of the digits. `--file`
 * prunes a model of one's own in place of the zoo's.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type Backend, fromNumbers, type Model, specialize, type TensorMap, type Value } from '@modelwright/core';
import { bertEncoder, denseNet, gpt, inceptionV3, mobileNetV2, resnet } from '@modelwright/models';
import { readOnnx } from '@modelwright/onnx';
import {
  maskChannels,
  multiplyAddsOf,
  removeChannels,
  type SelectChannelsOptions,
  selectChannels,
} from '@modelwright/optimization';
import { adam, cosineDecay, createTrainer } from '@modelwright/training';
import { loadBackend } from 'modelwright';
import { quantile } from '../measurement.js';
import { formatColumns } from '../table.js';
import { readDigits } from './digits.js';

const { values } = parseArgs({
  options: {
    networks: { type: 'string' },
    ratio: { type: 'string', default: '0.5' },
    batch: { type: 'string', default: '64' },
    runs: { type: 'string', default: '20' },
    file: { type: 'string' },
    train: { type: 'boolean', default: false },
    data: { type: 'string' },
    scale: { type: 'string', default: '1' },
    epochs: { type: 'string', default: '4' },
    tune: { type: 'string', default: '3' },
    out: { type: 'string' },
  },
});
const [ratio, batchSize, runs] = [Number(values.ratio), Number(values.batch), Number(values.runs)];

interface Row {
  readonly network: string;
  readonly parameters: readonly [number, number];
  readonly multiplyAdds: readonly [number, number];
  /** How many times as fast: quotient of the tenth percentiles of runs in turn. */
  readonly speed: number;
  /** Largest difference to the masked network, relative to its largest output. */
  readonly difference: number;
}

interface Subject {
  readonly model: () => Model;
  readonly options?: SelectChannelsOptions;
  /** Where it is not the common one. */
  readonly batch?: number;
  /** Extents of the open axes of inputs, but for the batch. */
  readonly steps?: number;
}

const subjects: { readonly [network: string]: Subject } = {
  resnet20: { model: () => resnet({ depth: 20 }) },
  resnet50: { model: () => resnet({ depth: 50 }), batch: 4 },
  denseNet40: { model: () => denseNet({ depth: 40 }) },
  denseNet121: { model: () => denseNet(), batch: 4 },
  mobileNetV2: { model: () => mobileNetV2(), batch: 4 },
  inceptionV3: { model: () => inceptionV3(), batch: 4 },
  gpt: { model: () => gpt({ vocabularySize: 1000, layers: 4, heads: 8, width: 256 }), batch: 4, steps: 128 },
  'gpt-narrow': {
    model: () => gpt({ vocabularySize: 1000, layers: 4, heads: 8, width: 256 }),
    options: { width: true },
    batch: 4,
    steps: 128,
  },
  bert: {
    model: () => bertEncoder({ vocabularySize: 1000, layers: 4, heads: 8, width: 256 }),
    batch: 4,
    steps: 128,
  },
};

const backend = await loadBackend('onnxruntime');
const report = values.train ? await train() : await compareAll();
await backend.dispose();
if (values.out !== undefined) writeFileSync(values.out, `${JSON.stringify(report, null, 2)}\n`);

async function compareAll(): Promise<object> {
  const file = values.file;
  const names = values.networks?.split(',') ?? Object.keys(subjects);
  const chosen: readonly (readonly [string, Subject | undefined])[] =
    file === undefined
      ? names.map((name) => [name, subjects[name]])
      : [[file, { model: () => readOnnx(readFileSync(file)), batch: 4 }]];
  const rows: Row[] = [];
  for (const [network, subject] of chosen) {
    if (subject === undefined)
      throw new TypeError(`no network '${network}'; there are ${Object.keys(subjects).join(', ')}`);
    rows.push(await compare(network, subject));
  }
  const change = ([from, to]: readonly [number, number], unit: number, digits: number): string =>
    `${(from / unit).toFixed(digits)} → ${(to / unit).toFixed(digits)}`;
  const cells = rows.map((row) => [
    row.network,
    change(row.parameters, 1e3, 0),
    change(row.multiplyAdds, 1e6, 1),
    `${row.speed.toFixed(2)}×`,
    row.difference.toExponential(1),
  ]);
  console.log(formatColumns([['network', 'parameters k', 'multiply-adds M', 'speed', 'to the masked one'], ...cells]));
  for (const { network, difference } of rows)
    check(`${network} equals the masked one within 1e-5`, { value: difference, most: 1e-5 });
  return { ratio, batchSize, rows };
}

async function compare(
  network: string,
  { model: build, options, batch = batchSize, steps = 1 }: Subject,
): Promise<Row> {
  const model = build();
  shake(model);
  const chosen = { ratio, ...options };
  const selection = await selectChannels(model, chosen);
  const pruned = await removeChannels(model, { ...chosen, selection });
  const inputs = inputsOf(model, batch, steps);
  const [given, expected] = [
    await outputsOf(backend, pruned, inputs),
    await outputsOf(backend, maskChannels(model, selection, chosen), inputs),
  ];
  return {
    network,
    parameters: [model.parameterCount, pruned.parameterCount],
    multiplyAdds: [addsOf(model, steps), addsOf(pruned, steps)],
    speed: await speedOf(model, pruned, inputs),
    difference: differenceOf(given, expected),
  };
}

/** Statistics and biases away from where they begin, so that a channel taken for another shows. */
function shake(model: Model): void {
  const weights = model.parameters.map((parameter, index) => {
    const weight = model.weightOf(parameter);
    const vector = weight.shape.length === 1;
    const numbers = Float64Array.from(weight.data as Float32Array, (value, at) =>
      vector ? Math.abs(value + 0.1 * Math.sin(at * 7.31 + index)) : value,
    );
    return [parameter.name, fromNumbers(weight.dtype, weight.shape, numbers)] as const;
  });
  model.setWeights(Object.fromEntries(weights));
}

function inputsOf({ graph }: Model, batch: number, steps: number): TensorMap {
  const made = ({ dtype, shape }: Value): TensorMap[string] => {
    const extents = shape.map((extent, axis) => (typeof extent === 'number' ? extent : axis === 0 ? batch : steps));
    const count = extents.reduce((product, extent) => product * extent, 1);
    const isFloat = dtype.startsWith('float');
    return fromNumbers(
      dtype,
      extents,
      Float64Array.from({ length: count }, (_, at) => (isFloat ? Math.sin(at * 12.9898) : at % 2)),
    );
  };
  return Object.fromEntries(graph.inputs.map((input) => [input.name, made(input)]));
}

async function outputsOf(on: Backend, model: Model, inputs: TensorMap): Promise<TensorMap> {
  const executable = await on.compile({ graph: model.graph, state: [] });
  const outputs = await executable.run(inputs);
  await executable.dispose();
  return outputs;
}

function differenceOf(given: TensorMap, expected: TensorMap): number {
  let [difference, largest] = [0, 1e-30];
  for (const [name, { data }] of Object.entries(expected)) {
    const other = given[name]?.data as Float32Array;
    (data as Float32Array).forEach((value, at) => {
      difference = Math.max(difference, Math.abs(value - (other[at] ?? Number.NaN)));
      largest = Math.max(largest, Math.abs(value));
    });
  }
  return difference / largest;
}

function addsOf({ graph }: Model, steps: number): number {
  const open = graph.inputs.flatMap(({ shape }) =>
    shape.flatMap((extent, axis) => (typeof extent === 'string' ? [[extent, axis === 0 ? 1 : steps]] : [])),
  );
  return multiplyAddsOf(specialize(graph, { dimensions: Object.fromEntries(open) })) ?? Number.NaN;
}

/** Both in turn, so that what else runs meets both alike. */
async function speedOf(before: Model, after: Model, inputs: TensorMap): Promise<number> {
  const [slow, fast] = await Promise.all([before, after].map(({ graph }) => backend.compile({ graph, state: [] })));
  if (slow === undefined || fast === undefined) return Number.NaN;
  const time = async (executable: typeof slow): Promise<number> => {
    const start = performance.now();
    await executable.run(inputs);
    return performance.now() - start;
  };
  const times: [number[], number[]] = [[], []];
  for (let run = -3; run < runs; run++) {
    const [whole, part] = [await time(slow), await time(fast)];
    if (run < 0) continue;
    times[0].push(whole);
    times[1].push(part);
  }
  await Promise.all([slow.dispose(), fast.dispose()]);
  return quantile(times[0], 0.1) / quantile(times[1], 0.1);
}

/** ResNet-20 on MNIST, before, after, and trained on. */
async function train(): Promise<object> {
  if (values.data === undefined) throw new TypeError('--data FOLDER is needed: where the IDX files of MNIST lie');
  const [scale, epochs, tune] = [Number(values.scale), Number(values.epochs), Number(values.tune)];
  const [digits, test] = [await readDigits(values.data, 'train', scale), await readDigits(values.data, 'test')];
  const whole = resnet({ depth: 20, inputShape: [28, 28, 1], seed: 1 });
  await learn(whole, epochs, 2e-3);
  const before = await accuracyOf(whole);
  const pruned = await removeChannels(whole, { ratio, roundTo: 8 });
  const [cut, speed] = [await accuracyOf(pruned), await speedOf(whole, pruned, inputsOf(whole, batchSize, 1))];
  await learn(pruned, tune, 2e-3);
  const after = await accuracyOf(pruned);
  const percent = (accuracy: number): string => `${(100 * accuracy).toFixed(2)} %`;
  const row = (what: string, model: Model, accuracy: number): readonly string[] => [
    what,
    String(model.parameterCount),
    (addsOf(model, 1) / 1e6).toFixed(1),
    percent(accuracy),
  ];
  console.log(
    formatColumns([
      ['resnet20 on MNIST', 'parameters', 'multiply-adds M', 'accuracy'],
      row('as trained', whole, before),
      row('half of the channels', pruned, cut),
      row('trained on', pruned, after),
    ]),
  );
  check(`faster at batch ${batchSize}`, { value: speed, least: 2 });
  check('points lost', { value: 100 * (before - after), most: 1 });
  return { scale, epochs, tune, before, cut, after, speed };

  async function learn(model: Model, rounds: number, initialLearningRate: number): Promise<void> {
    const decaySteps = rounds * Math.ceil((digits.cardinality ?? 0) / 128);
    const trainer = await createTrainer(model, {
      backend,
      optimizer: adam({ learningRate: cosineDecay({ initialLearningRate, decaySteps }) }),
      loss: 'sparseCategoricalCrossentropy',
    });
    await trainer.fit(digits, { epochs: rounds, batchSize: 128, verbose: 0 });
    await trainer.dispose();
  }

  async function accuracyOf(model: Model): Promise<number> {
    const trainer = await createTrainer(model, {
      backend,
      loss: 'sparseCategoricalCrossentropy',
      metrics: ['accuracy'],
    });
    const { accuracy = Number.NaN } = await trainer.evaluate(test, { batchSize: 500 });
    await trainer.dispose();
    return accuracy;
  }
}

function check(
  what: string,
  {
    value,
    most = Number.POSITIVE_INFINITY,
    least = Number.NEGATIVE_INFINITY,
  }: { value: number; most?: number; least?: number },
): void {
  const isKept = value <= most && value >= least;
  const shown = Math.abs(value) < 0.001 && value !== 0 ? value.toExponential(1) : value.toFixed(2);
  console.log(`${isKept ? 'kept  ' : 'MISSED'}  ${what}: ${shown}`);
  if (!isKept) process.exitCode = 1;
}
