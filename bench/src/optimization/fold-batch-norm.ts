/**
 * Takes normalization out of every network of the zoo that has it, at full size, and compares: outputs of the files in ONNX Runtime,
 * called directly, before and after `foldBatchNormalization` and `optimizeGraph`, ops, bytes and latency. Running statistics and
 * scales are random, so that folding them wrong would show.
 *
 * usage: fold-batch-norm [--networks resnet50,denseNet121] [--scale 1] [--runs 5] [--out fold-batch-norm.json]
 *
 * `--scale 0.1` takes small images and, where a network has a width, few channels. Exits with 1 where outputs differ by more than 10⁻⁴
 * of the largest one, or normalization is left.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { fromNumbers, type Graph, type Model, subgraphsOf } from '@modelwright/core';
import { dcgan, denseNet, inceptionV3, mlp, mobileNetV2, type ResnetDepth, resnet } from '@modelwright/models';
import { readOnnx, writeOnnx } from '@modelwright/onnx';
import { foldBatchNormalization, optimizeGraph } from '@modelwright/optimization';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { formatColumns } from '../table.js';

const { values } = parseArgs({
  options: {
    networks: { type: 'string' },
    scale: { type: 'string', default: '1' },
    runs: { type: 'string', default: '5' },
    out: { type: 'string' },
  },
});
const [isSmall, runs] = [Number(values.scale) < 1, Number(values.runs)];
const tolerance = 1e-4;

/** Logits, not probabilities: those of a network that is sure of itself would agree whatever it computes. */
const linear = { classifierActivation: 'linear' } as const;
const sized = (full: number, small: number) => ({
  ...linear,
  inputShape: [isSmall ? small : full, isSmall ? small : full, 3] as const,
});
const width = isSmall ? { alpha: 0.25 } : {};
const filters = isSmall ? { baseFilters: 16 } : {};
const growth = isSmall ? { growthRate: 8 } : {};
const resnets = ([18, 34, 50, 101, 152] as const).map((depth): [string, () => Model] => [
  `resnet${depth}`,
  () => resnet({ depth, ...filters, ...sized(224, 32) }),
]);
const cifar = ([20, 32, 44, 56, 110] as readonly ResnetDepth[]).map((depth): [string, () => Model] => [
  `resnet${depth}`,
  () => resnet({ depth, ...sized(32, 16) }),
]);
const zoo: { readonly [network: string]: () => Model } = {
  ...Object.fromEntries([...cifar, ...resnets]),
  resnet50Keras: () => resnet({ variant: 'keras', ...filters, ...sized(224, 32) }),
  resnet152Keras: () => resnet({ variant: 'keras', depth: 152, ...filters, ...sized(224, 32) }),
  denseNet40: () => denseNet({ depth: 40, bottleneck: false, reduction: 1, ...sized(32, 16) }),
  denseNet100: () => denseNet({ depth: 100, ...sized(32, 16) }),
  denseNet121: () => denseNet({ ...growth, ...sized(224, 32) }),
  denseNet169: () => denseNet({ depth: 169, ...growth, ...sized(224, 32) }),
  denseNet201: () => denseNet({ depth: 201, ...growth, ...sized(224, 32) }),
  inceptionV3: () => inceptionV3({ ...width, ...sized(299, 75) }),
  mobileNetV2: () => mobileNetV2({ ...width, ...sized(224, 32) }),
  mobileNetV2ChannelsFirst: () =>
    mobileNetV2({
      ...width,
      ...linear,
      dataFormat: 'channelsFirst',
      inputShape: [3, isSmall ? 32 : 224, isSmall ? 32 : 224],
    }),
  dcganGenerator: () => dcgan().generator,
  dcganDiscriminator: () => dcgan().discriminator,
  mlp: () => mlp({ inputShape: [784], hiddenUnits: [512, 512], batchNormalization: true }),
};

const heading = ['network', 'normalizations', 'nodes', 'MB', 'folded', 'optimized', 'ms', 'folded', 'optimized'];

interface Row {
  readonly network: string;
  readonly normalizations: number;
  readonly left: number;
  /** Nodes of the file: as it is, folded, optimized. */
  readonly nodes: readonly [number, number, number];
  readonly bytes: readonly [number, number, number];
  /** Largest difference of an output, as a share of the largest output, folded and optimized. */
  readonly differences: readonly [number, number];
  /** Best of the runs at batch 2, in milliseconds. */
  readonly latencies: readonly [number, number, number];
}

const wanted = values.networks?.split(',') ?? Object.keys(zoo);
const rows: Row[] = [];
for (const network of wanted) {
  const make = zoo[network];
  if (make === undefined) throw new TypeError(`no network ${network}; there are ${Object.keys(zoo).join(', ')}`);
  rows.push(await compare(network, randomStatistics(make())));
  console.log(
    formatColumns([heading, ...rows.map(cells)])
      .split('\n')
      .at(-1),
  );
}
console.log(`\n${formatColumns([heading, ...rows.map(cells)])}`);
if (values.out !== undefined) writeFileSync(values.out, `${JSON.stringify(rows, undefined, 2)}\n`);
if (rows.some(({ left, differences }) => left > 0 || !differences.every((each) => each <= tolerance)))
  process.exitCode = 1;

async function compare(network: string, model: Model): Promise<Row> {
  const models = [model, foldBatchNormalization(model), await optimizeGraph(model)] as const;
  const files = models.map((each) => writeOnnx(each).bytes);
  const graphs = files.map((bytes) => readOnnx(bytes).graph);
  const { outputs, latencies } = await measure(files, inputOf(model));
  const of = <T, R>(all: readonly T[], map: (each: T) => R) => all.map(map) as unknown as readonly [R, R, R];
  return {
    network,
    normalizations: countNormalizations(graphs[0] as Graph),
    left: Math.max(...graphs.slice(1).map(countNormalizations)),
    nodes: of(graphs, ({ nodes }) => nodes.length),
    bytes: of(files, ({ byteLength }) => byteLength),
    differences: outputs.slice(1).map((each) => difference(outputs[0] as Float32Array, each)) as unknown as [
      number,
      number,
    ],
    latencies: latencies as unknown as [number, number, number],
  };
}

interface Input {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

function inputOf({ graph }: Model): Input {
  const [input] = graph.inputs;
  if (input === undefined) throw new TypeError('a network of the zoo has no input');
  const shape = input.shape.map((extent) => (typeof extent === 'number' ? extent : 2));
  const draw = numbers(3);
  const count = shape.reduce((product, extent) => product * extent, 1);
  return { name: input.name, shape, data: Float32Array.from({ length: count }, () => 2 * draw() - 1) };
}

/** Files by turns, so that what else the machine does meets all of them. */
async function measure(files: readonly Uint8Array[], { name, shape, data }: Input) {
  const sessions: InferenceSession[] = [];
  for (const bytes of files) sessions.push(await InferenceSession.create(bytes));
  const latencies = sessions.map(() => Number.POSITIVE_INFINITY);
  const outputs: Float32Array[] = [];
  for (let run = 0; run <= runs; run++) {
    for (const [at, session] of sessions.entries()) {
      const start = performance.now();
      const result = await session.run({ [name]: new Tensor('float32', data, shape) });
      // The first run warms up.
      if (run > 0) latencies[at] = Math.min(latencies[at] as number, performance.now() - start);
      outputs[at] = Object.values(result)[0]?.data as Float32Array;
    }
  }
  for (const session of sessions) await session.release();
  return { outputs, latencies };
}

function difference(expected: Float32Array, given: Float32Array): number {
  const largest = expected.reduce((most, each) => Math.max(most, Math.abs(each)), 0);
  const spread = new Set(expected).size > 1 && Number.isFinite(largest);
  if (!spread || expected.length !== given.length) return Number.NaN;
  return expected.reduce((most, each, at) => Math.max(most, Math.abs(each - (given[at] as number))), 0) / largest;
}

function countNormalizations({ nodes }: Graph): number {
  return nodes.reduce((sum, node) => {
    const inner = subgraphsOf(node).reduce((total, { graph }) => total + countNormalizations(graph), 0);
    return sum + inner + (node.op === 'BatchNormalization' ? 1 : 0);
  }, 0);
}

/** Numbers in [0, 1), always the same. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

function randomStatistics(model: Model): Model {
  const draw = numbers(7);
  const ranges: readonly (readonly [RegExp, number, number])[] = [
    [/gamma$/, 0.5, 1.2],
    [/(beta|movingMean|bias)$/, -0.5, 0.5],
    [/movingVariance$/, 0.5, 1.6],
  ];
  const weights = model.parameters.flatMap((parameter) => {
    const range = ranges.find(([pattern]) => pattern.test(parameter.name));
    if (range === undefined) return [];
    const { shape, elementCount } = model.weightOf(parameter);
    const drawn = Array.from({ length: elementCount }, () => range[1] + (range[2] - range[1]) * draw());
    return [[parameter.name, fromNumbers('float32', shape, drawn)] as const];
  });
  model.setWeights(Object.fromEntries(weights));
  return model;
}

function cells(row: Row): readonly string[] {
  const [before, folded, optimized] = row.latencies;
  return [
    row.network,
    `${row.normalizations} → ${row.left}`,
    row.nodes.join(' → '),
    row.bytes.map((bytes) => (bytes / 1e6).toFixed(2)).join(' → '),
    ...row.differences.map((each) => each.toExponential(1)),
    before.toFixed(1),
    `${(before / folded).toFixed(2)}×`,
    `${(before / optimized).toFixed(2)}×`,
  ];
}
