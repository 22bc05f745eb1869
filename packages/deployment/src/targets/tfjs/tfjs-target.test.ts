import { execFile } from 'node:child_process';
import { readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import {
  createPredictor,
  createReferenceBackend,
  fromNumbers,
  type Model,
  type Tensor,
  type TensorMap,
  toNumbers,
} from '@modelwright/core';
import * as models from '@modelwright/models';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { deploy } from '../../deploy/deploy.js';
import { toTensorflow } from './to-tensorflow.js';

const backend = createReferenceBackend();
beforeAll(async () => {
  await tf.setBackend('cpu');
});

/** Inputs that are the same each time: waves, or small whole numbers. */
function inputsOf(model: Model, extents: { readonly [symbol: string]: number }): TensorMap {
  return Object.fromEntries(
    model.graph.inputs.map(({ name, dtype, shape }) => {
      const whole = shape.map((extent) => (typeof extent === 'number' ? extent : (extents[extent] ?? 2)));
      const count = whole.reduce((product, extent) => product * extent, 1);
      const numbers = Array.from({ length: count }, (_, at) =>
        dtype === 'float32' ? Math.sin(at * 1.3) : (at * 7) % 5,
      );
      return [name, fromNumbers(dtype, whole, numbers)];
    }),
  );
}

/** How far the answers of stock TensorFlow.js are from the reference, beside how large they are. */
async function errorOf(model: Model, dimensions: { readonly [symbol: string]: number } = {}): Promise<number> {
  const inputs = inputsOf(model, dimensions);
  const { nodes, signature, weights, weightData } = toTensorflow(model, dimensions);
  const loaded = await tf.loadGraphModel({
    load: async () => ({
      format: 'graph-model',
      modelTopology: { node: nodes, library: {}, versions: { producer: 1 } } as never,
      signature: signature as never,
      weightSpecs: weights as never,
      weightData: weightData.slice().buffer as ArrayBuffer,
    }),
  });
  const feeds = Object.fromEntries(
    Object.entries(inputs).map(([name, tensor]) => {
      const dtype = tensor.dtype === 'float32' ? 'float32' : 'int32';
      return [name, tf.tensor(Array.from(toNumbers(tensor)), [...(tensor.shape as readonly number[])], dtype)];
    }),
  );
  const expected = await (await createPredictor(model, backend)).predict(inputs);
  let worst = 0;
  for (const [name, tensor] of Object.entries(expected)) {
    const answer = loaded.execute(feeds, name) as tf.Tensor;
    expect(answer.shape).toEqual(tensor.shape);
    const [given, wanted] = [answer.dataSync(), toNumbers(tensor as Tensor)];
    wanted.forEach((each, at) => {
      worst = Math.max(worst, Math.abs((given[at] as number) - each) / Math.max(1, Math.abs(each)));
    });
  }
  return worst;
}

const { sequential, dense, conv2d } = models;
const image = { inputShape: [12, 12, 3] as const };
const tokens = { inputShape: [6], inputDType: 'int32' as const };
const embedded = models.embedding({ inputDim: 5, outputDim: 4 });

describe('layers answer as in the reference on stock TensorFlow.js', () => {
  it.each<[string, Model, { readonly [symbol: string]: number }?]>([
    [
      'dense',
      sequential({
        inputShape: [7],
        layers: [dense({ units: 5, activation: 'tanh' }), dense({ units: 3, activation: 'softmax' })],
      }),
    ],
    [
      'convolutions, pools and batch normalization',
      sequential({
        ...image,
        layers: [
          conv2d({ filters: 4, kernelSize: 3, padding: 'same', activation: 'relu' }),
          models.batchNormalization(),
          models.maxPooling2d({ poolSize: 3, strides: 2, padding: 'same' }),
          models.depthwiseConv2d({ kernelSize: 3, strides: 2, padding: 'same' }),
          models.averagePooling2d({ poolSize: 2, padding: 'same' }),
          models.separableConv2d({ filters: 6, kernelSize: 3, padding: 'same', activation: 'gelu' }),
          models.flatten(),
          dense({ units: 3 }),
        ],
      }),
    ],
    [
      'channels first, groups, dilation',
      sequential({
        inputShape: [4, 9, 9],
        layers: [
          conv2d({ filters: 4, kernelSize: 3, groups: 2, dataFormat: 'channelsFirst', activation: 'leakyRelu' }),
          conv2d({ filters: 3, kernelSize: 3, dilationRate: 2, dataFormat: 'channelsFirst' }),
          models.globalAveragePooling2d({ dataFormat: 'channelsFirst' }),
        ],
      }),
    ],
    [
      'transposed convolution and upsampling',
      sequential({
        ...image,
        layers: [
          models.conv2dTranspose({ filters: 3, kernelSize: 4, strides: 2, padding: 'same', activation: 'elu' }),
          models.upSampling2d({ size: 2 }),
          conv2d({ filters: 2, kernelSize: 3, strides: 2 }),
        ],
      }),
    ],
    [
      'one spatial axis',
      sequential({
        inputShape: [10, 3],
        layers: [
          models.conv1d({ filters: 4, kernelSize: 3, padding: 'causal', activation: 'swish' }),
          models.maxPooling1d({ poolSize: 2 }),
          models.layerNormalization(),
          models.globalMaxPooling1d(),
        ],
      }),
    ],
    [
      'an LSTM',
      sequential({
        ...tokens,
        layers: [embedded, models.lstm({ units: 3, returnSequences: true }), models.gru({ units: 2 })],
      }),
    ],
    [
      'both directions, with steps given at deployment',
      sequential({
        inputShape: [null, 3],
        layers: [models.bidirectional({ layer: models.lstm({ units: 3 }) }), dense({ units: 2 })],
      }),
      { time: 5 },
    ],
    [
      'a transformer',
      sequential({
        ...tokens,
        layers: [
          embedded,
          models.transformerEncoder({ numHeads: 2, intermediateDim: 8 }),
          models.globalAveragePooling1d(),
        ],
      }),
    ],
  ])('%s', async (_, model, dimensions) => {
    const symbols = model.graph.inputs.flatMap(({ shape }) => shape.filter((extent) => typeof extent === 'string'));
    const given = Object.fromEntries(
      Object.values(dimensions ?? {}).map((extent) => [symbols.at(-1) as string, extent]),
    );
    expect(await errorOf(model, given)).toBeLessThan(2e-5);
  });

  it.each<readonly [string, Model]>([
    ['ResNet-20', models.resnet({ depth: 20, inputShape: [16, 16, 3], classes: 4 })],
    ['MobileNetV2', models.mobileNetV2({ inputShape: [32, 32, 3], alpha: 0.35, classes: 4 })],
    ['a GPT', models.gpt({ vocabularySize: 5, sequenceLength: 6, layers: 2, heads: 2, width: 8 })],
  ])('%s of the zoo', async (_, model) => {
    const sequence = model.graph.inputs[0]?.shape.filter((extent) => typeof extent === 'string').slice(1) ?? [];
    expect(await errorOf(model, Object.fromEntries(sequence.map((symbol) => [symbol, 6])))).toBeLessThan(1e-4);
  });
});

it('names the layer that cannot be expressed', () => {
  const model = sequential({
    inputShape: [null, 3],
    name: 'open',
    layers: [models.lstm({ units: 2, name: 'memory' })],
  });
  expect(() => toTensorflow(model)).toThrow(/'memory.*the number of its steps is not known/);
});

describe('a bundle', () => {
  it('proves itself on the TensorFlow.js of whoever has it, and refuses a turned bit', async () => {
    const folder = join(tmpdir(), `tfjs-bundle-${process.pid}`);
    const layers = [
      conv2d({ filters: 3, kernelSize: 3 }),
      models.flatten(),
      dense({ units: 2, activation: 'softmax' }),
    ];
    await deploy(sequential({ inputShape: [6, 6, 1], name: 'small', layers }), {
      target: 'tfjs',
      backend,
      output: folder,
    });
    const packages = dirname(dirname(dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs/package.json'))));
    await symlink(packages, join(folder, 'node_modules'));
    const run = (): Promise<{ stdout: string }> => promisify(execFile)(process.execPath, [join(folder, 'verify.mjs')]);
    expect((await run()).stdout).toMatch(/golden answers on TensorFlow.js 4\./);
    const shard = join(folder, 'group1-shard1of1.bin');
    const bytes = await readFile(shard);
    bytes[5] = (bytes[5] as number) ^ 0x10;
    await writeFile(shard, bytes);
    await expect(run()).rejects.toThrow(/group1-shard1of1.bin is not the file that was deployed/);
    await rm(folder, { recursive: true });
  });
});
