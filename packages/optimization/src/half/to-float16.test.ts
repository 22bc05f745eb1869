import { createBackend } from '@modelwright/backend-onnxruntime';
import { createPredictor, fromNumbers, type Model, type Tensor, type TensorMap, toNumbers } from '@modelwright/core';
import {
  batchNormalization,
  conv2d,
  dense,
  dropout,
  flatten,
  gpt,
  lstm,
  maxPooling2d,
  sequential,
} from '@modelwright/models';
import { readOnnx, writeOnnx } from '@modelwright/onnx';
import * as ort from 'onnxruntime-node';
import { afterAll, describe, expect, test } from 'vitest';
import { float16, toFloat16 } from './to-float16.js';

const opened = createBackend();
afterAll(async () => (await opened).dispose());

const wave = (shape: readonly number[]): Tensor =>
  fromNumbers(
    'float32',
    shape,
    Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, at) => Math.sin(at * 1.3)),
  );

const images = (): Model =>
  sequential({
    inputShape: [8, 8, 3],
    layers: [
      conv2d({ filters: 8, kernelSize: 3, activation: 'relu' }),
      batchNormalization(),
      maxPooling2d({ poolSize: 2 }),
      flatten(),
      dropout({ rate: 0.5 }),
      dense({ units: 64, activation: 'relu' }),
      dense({ units: 5, activation: 'softmax' }),
    ],
  });

const networks: readonly (readonly [name: string, model: () => Model, inputs: TensorMap])[] = [
  ['a convolutional network', images, { input: wave([2, 8, 8, 3]) }],
  [
    'a GPT',
    () => gpt({ vocabularySize: 30, sequenceLength: 12, layers: 1, heads: 2, width: 32, initializerRange: 0.2 }),
    {
      tokens: fromNumbers(
        'int32',
        [2, 12],
        Array.from({ length: 24 }, (_, at) => (at * 7) % 30),
      ),
    },
  ],
  [
    'a recurrent network',
    () => sequential({ inputShape: [6, 4], layers: [lstm({ units: 16 }), dense({ units: 3 })] }),
    { input: wave([2, 6, 4]) },
  ],
];

async function outputs(model: Model, inputs: TensorMap): Promise<Float64Array> {
  const predictor = await createPredictor(model, await opened);
  const [first] = Object.values(await predictor.predict(inputs));
  await predictor.dispose();
  return toNumbers(first as Tensor);
}

async function outputsOfFile(bytes: Uint8Array, inputs: TensorMap): Promise<Float64Array> {
  const session = await ort.InferenceSession.create(bytes);
  const feeds = Object.entries(inputs).map(([name, { dtype, data, shape }]): [string, ort.Tensor] => [
    name,
    new ort.Tensor(dtype as 'float32', data as Float32Array, shape),
  ]);
  const [first] = Object.values(await session.run(Object.fromEntries(feeds)));
  return Float64Array.from(first?.data as Float32Array);
}

function distance(a: Float64Array, b: Float64Array): number {
  const norm = (values: Float64Array): number => Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0));
  return norm(a.map((value, at) => value - (b[at] as number))) / norm(b);
}

const bytesOf = (model: Model): number => writeOnnx(model, { trainingMetadata: false, valueInfo: false }).bytes.length;

describe.each(['compute', 'storage'] as const)('%s in float16', (precision) => {
  test.each(networks)('%s: near the float one, and the same from the file', async (_, build, inputs) => {
    const model = build();
    const half = await toFloat16(model, { precision });
    const wanted = await outputs(model, inputs);
    const given = await outputs(half, inputs);
    expect(distance(given, wanted)).toBeLessThan(5e-3);
    expect(distance(given, wanted)).toBeGreaterThan(1e-6);
    const { bytes } = writeOnnx(half);
    // The order of sums may differ, which counts in float16.
    const limit = precision === 'storage' ? 1e-6 : 1e-4;
    expect(distance(await outputsOfFile(bytes, inputs), given)).toBeLessThan(limit);
    expect(distance(await outputs(readOnnx(bytes), inputs), given)).toBeLessThan(limit);
    expect(half.parameters.map(({ name }) => name)).toEqual(model.parameters.map(({ name }) => name));
    expect(half.parameters.every(({ value }) => value.dtype === 'float16')).toBe(true);
  });
});

test('a file is half as large', async () => {
  const model = sequential({ inputShape: [100], layers: [dense({ units: 300 }), dense({ units: 100 })] });
  for (const precision of ['compute', 'storage'] as const) {
    expect(bytesOf(await toFloat16(model, { precision })) / bytesOf(model)).toBeCloseTo(0.5, 1);
  }
});

test('inputs and outputs may be float16 too', async () => {
  const { graph } = await toFloat16(images(), { keepIO: false });
  expect([graph.inputs[0]?.dtype, graph.outputs[0]?.value.dtype]).toEqual(['float16', 'float16']);
});

test('what is excluded, too large or near the end of the range stays float32', async () => {
  const model = images();
  const bias = model.getWeights()['dense_1.bias'] as Tensor;
  model.setWeights({ 'dense_1.bias': fromNumbers('float32', bias.shape, [0, 1e6, 0, 0, 0]) });
  const context = { backend: await opened, extensions: [] };
  const dtypeOf = (half: Model, name: string): unknown =>
    half.parameters.find((parameter) => parameter.name === name)?.value.dtype;

  const byName = await float16({ exclude: ['conv2d'] }).apply(model, context);
  expect(dtypeOf(byName.model, 'conv2d.kernel')).toBe('float32');
  expect(dtypeOf(byName.model, 'dense.kernel')).toBe('float16');
  expect(dtypeOf(byName.model, 'dense_1.bias')).toBe('float32');
  expect(byName.notes?.find((note) => note.includes('dense_1.bias'))).toContain('too large for float16');

  const loud = wave([1, 8, 8, 3]);
  const inputs = {
    input: fromNumbers(
      'float32',
      loud.shape,
      toNumbers(loud).map((each) => each * 1e5),
    ),
  };
  const byData = await float16().apply(model, {
    ...context,
    calibration: async function* () {
      yield inputs;
    },
  });
  expect(dtypeOf(byData.model, 'dense.kernel')).toBe('float32');
  expect(byData.notes?.find((note) => note.includes('calibration'))).toContain('dense/');
  expect(distance(await outputs(byData.model, inputs), await outputs(model, inputs))).toBeLessThan(1e-2);
  await expect(toFloat16(model, { exclude: ['nothing'] })).rejects.toThrow("'nothing' names no layer");
});
