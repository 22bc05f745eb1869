import { createBackend } from '@modelwright/backend-onnxruntime';
import {
  type Backend,
  createPredictor,
  type Model,
  type Tensor,
  type TensorMap,
  tensor,
  toNumbers,
} from '@modelwright/core';
import { batchNormalization, conv2d, dense, flatten, sequential } from '@modelwright/models';
import { writeOnnx } from '@modelwright/onnx';
import * as ort from 'onnxruntime-node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { clusterModel } from '../../cluster/index.js';
import { quantizeDynamic } from '../../quantize/dynamic/quantize-dynamic.js';
import type { QuantizationScheme } from '../../quantize/scheme.js';
import { quantizeStatic } from '../../quantize/static/quantize-static.js';
import { measureFileBytes } from '../../report/file-bytes.js';
import { removeChannels } from '../channels/remove-channels.js';
import { prunableWeights } from './prunable-weights.js';
import { pruneWeights } from './prune-weights.js';
import { scanSensitivity } from './scan-sensitivity.js';
import { weightSparsity } from './weight-sparsity.js';

let backend: Backend;
beforeAll(async () => {
  backend = await createBackend();
});
afterAll(() => backend.dispose());

const network = (): Model =>
  sequential({
    inputShape: [8, 8, 2],
    layers: [
      conv2d({ name: 'first', filters: 16, kernelSize: 3, activation: 'relu' }),
      batchNormalization({ name: 'norm' }),
      conv2d({ name: 'second', filters: 16, kernelSize: 3, activation: 'relu' }),
      flatten(),
      dense({ name: 'head', units: 10 }),
    ],
    seed: 4,
  });
const image = tensor(Float32Array.from({ length: 4 * 128 }, (_, at) => Math.sin(at)) as never, { shape: [4, 8, 8, 2] });

const feed = ({ graph }: Model): TensorMap => ({ [graph.inputs[0]?.name as string]: image });

/** The zeros of each integer weight of two axes or more, by what it was called. */
function zerosOf({ graph }: Model): { [name: string]: boolean[] } {
  const found: { [name: string]: boolean[] } = {};
  for (const { op, inputs } of graph.nodes) {
    const [weight, , zeroPoint] = inputs.map((input) => input && graph.constants.get(input));
    if (op !== 'DequantizeLinear' || weight === undefined || weight.rank < 2) continue;
    const zero = zeroPoint === undefined ? 0 : (toNumbers(zeroPoint)[0] as number);
    found[`${weight.shape}`] = [...toNumbers(weight)].map((each) => each === zero);
  }
  return found;
}

const schemes: readonly Partial<QuantizationScheme>[] = [
  {},
  { reduceRange: true },
  { weight: 'uint8', perChannel: false },
  { activation: 'int8', symmetricActivations: true },
];

test.each(schemes)('what is pruned is zero in int8, too: %o', async (scheme) => {
  const pruned = pruneWeights(network(), { ratio: 0.8 });
  const quantized = await quantizeStatic(pruned, { backend, calibration: [feed(pruned)], scheme });
  const zeros = zerosOf(quantized);
  for (const { name, weight } of prunableWeights(pruned)) {
    const held = zeros[`${weight.shape}`] as boolean[];
    expect(held, name).toBeDefined();
    expect([...toNumbers(weight)].every((each, at) => each !== 0 || held[at])).toBe(true);
  }
});

test('and so it is where only weights are quantized beforehand', async () => {
  const pruned = pruneWeights(network(), { ratio: 0.8, include: ['head'] });
  const before = weightSparsity(pruned, { include: ['head'] }).zeros;
  const quantized = quantizeDynamic(pruned, {});
  const weight = [...quantized.graph.constants].find(([, { dtype, shape }]) => dtype !== 'float32' && shape[1] === 10);
  const zero = weight?.[1].dtype === 'uint8' ? 128 : 0;
  expect([...toNumbers(weight?.[1] as Tensor)].filter((each) => each === zero).length).toBeGreaterThanOrEqual(before);
});

test('shared values leave a pruned weight its zeros', () => {
  const pruned = pruneWeights(network(), { ratio: 0.6 });
  const { model } = clusterModel(pruned, { clusters: 8 });
  expect(weightSparsity(model)).toEqual(weightSparsity(pruned));
});

test('a pruned model runs in onnxruntime-node as it does here, and compresses', async () => {
  const model = network();
  const pruned = pruneWeights(model, { ratio: 0.8 });
  const session = await ort.InferenceSession.create(writeOnnx(pruned).bytes);
  const [input] = session.inputNames as [string];
  const result = await session.run({ [input]: new ort.Tensor('float32', image.data as Float32Array, image.shape) });
  const predictor = await createPredictor(pruned, backend);
  const [wanted] = Object.values(await predictor.predict(image)) as [Tensor];
  const [given] = Object.values(result) as [ort.Tensor];
  for (const [at, each] of [...toNumbers(wanted)].entries())
    expect((given.data as Float32Array)[at]).toBeCloseTo(each, 5);
  await predictor.dispose();
  const [whole, sparse] = [await measureFileBytes(model), await measureFileBytes(pruned)];
  expect(sparse.fileBytes).toBe(whole.fileBytes);
  expect(whole.compressedBytes / sparse.compressedBytes).toBeGreaterThan(2.5);
});

test('channels are scanned as weights are', async () => {
  const scan = await scanSensitivity(network(), {
    backend,
    calibration: image,
    layers: ['first', 'second'],
    prune: (model, ratios) => removeChannels(model, { ratios }),
    ratios: [0.25, 0.5],
    maxLoss: 0.5,
  });
  for (const { points } of scan.layers) expect(points[1]?.loss).toBeGreaterThan(points[0]?.loss as number);
  const narrow = await removeChannels(network(), { ratios: scan.proposal.ratios });
  expect(narrow.parameterCount).toBeLessThan(network().parameterCount);
  expect(scan.proposal.loss).toBeLessThanOrEqual(0.5);
});
