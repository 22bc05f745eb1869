import { createBackend } from '@modelwright/backend-onnxruntime';
import {
  type Backend,
  createPredictor,
  createReferenceBackend,
  type Model,
  Tensor,
  type TensorMap,
  toNumbers,
} from '@modelwright/core';
import {
  bidirectional,
  conv2d,
  dense,
  embedding,
  flatten,
  gpt,
  gru,
  type Layer,
  lstm,
  sequential,
} from '@modelwright/models';
import { readOnnx, writeOnnx } from '@modelwright/onnx';
import { createGenerator } from '@modelwright/text';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { opsThatRun, outputOf, relativeError, runDirectly } from '../run-directly.cases.js';
import { quantizeDynamic } from './quantize-dynamic.js';

let backend: Backend;
beforeAll(async () => {
  backend = await createBackend();
});
afterAll(() => backend.dispose());

const words = (name: string, count: number, steps: number, vocabulary: number): TensorMap => ({
  [name]: new Tensor(
    'int32',
    [count, steps],
    Int32Array.from({ length: count * steps }, (_, at) => (at * at * 7 + 3) % vocabulary),
  ),
});

const smallGpt = (): Model => gpt({ vocabularySize: 40, sequenceLength: 16, width: 32, layers: 2, heads: 2, seed: 3 });
const classifier = (layer: Layer): Model =>
  sequential({
    inputShape: [9],
    inputDType: 'int32',
    layers: [embedding({ inputDim: 30, outputDim: 12 }), layer, dense({ units: 3 })],
    seed: 4,
  });

const oneStep = 3e-3;

/** Our backend and the runtime called directly agree on the quantized model; it differs little from the float one. */
async function expectAlike(quantized: Model, float: Model, inputs: TensorMap, tolerance: number): Promise<void> {
  const direct = await runDirectly(quantized, inputs);
  // A sum that differs in its last digit may round to the next integer.
  expect(relativeError(direct, await outputOf(quantized, backend, inputs))).toBeLessThan(oneStep);
  const error = relativeError(direct, await outputOf(float, backend, inputs));
  expect(error).toBeLessThan(tolerance);
  expect(error).toBeGreaterThan(0);
}

test('products of a GPT, its tied output layer included, run as DynamicQuantizeMatMul', async () => {
  const float = smallGpt();
  const quantized = quantizeDynamic(float);
  const ops = await opsThatRun(quantized);
  expect(ops.filter((op) => op === 'DynamicQuantizeMatMul')).toHaveLength(9);
  const integers = quantized.parameters.filter(({ value }) => value.dtype === 'int8').map(({ name }) => name);
  expect(integers).toHaveLength(10);
  expect(integers).toContain('wte.embeddings');
  const inputs = words('tokens', 2, 7, 40);
  await expectAlike(quantized, float, inputs, 0.03);
  const reference = await outputOf(quantized, createReferenceBackend(), inputs);
  expect(relativeError(await runDirectly(quantized, inputs), reference)).toBeLessThan(0.01);
});

test.each([
  ['LSTM', () => lstm({ units: 16 }), 1],
  ['bidirectional LSTM', () => bidirectional({ layer: lstm({ units: 8 }) }), 2],
])('%s runs as DynamicQuantizeLSTM', async (_, layer, count) => {
  const float = classifier(layer());
  const quantized = quantizeDynamic(float);
  expect((await opsThatRun(quantized)).filter((op) => op === 'DynamicQuantizeLSTM')).toHaveLength(count);
  await expectAlike(quantized, float, words('input', 2, 9, 30), 0.03);
});

test.each([{ weight: 'uint8' }, { reduceRange: true }, { perChannel: false }] as const)(
  'scheme %o runs in the same kernels',
  async (scheme) => {
    const [words1, words2] = [words('tokens', 2, 7, 40), words('input', 2, 9, 30)];
    const [language, sentences] = [smallGpt(), classifier(lstm({ units: 16 }))];
    const quantized = [quantizeDynamic(language, { scheme }), quantizeDynamic(sentences, { scheme })] as const;
    expect(await opsThatRun(quantized[0])).toContain('DynamicQuantizeMatMul');
    expect(await opsThatRun(quantized[1])).toContain('DynamicQuantizeLSTM');
    await expectAlike(quantized[0], language, words1, 0.05);
    await expectAlike(quantized[1], sentences, words2, 0.05);
  },
);

test('steps that are masked out stay masked out', async () => {
  const layers = [embedding({ inputDim: 30, outputDim: 12, maskZero: true }), lstm({ units: 8 }), dense({ units: 3 })];
  const float = sequential({ inputShape: [9], inputDType: 'int32', layers, seed: 4 });
  const ids = Int32Array.of(3, 7, 1, 0, 0, 0, 0, 0, 0, 9, 8, 7, 6, 5, 4, 3, 2, 1);
  const quantized = quantizeDynamic(float);
  expect(await opsThatRun(quantized)).toContain('DynamicQuantizeLSTM');
  await expectAlike(quantized, float, { input: new Tensor('int32', [2, 9], ids) }, 0.03);
});

test('a GRU keeps its op behind integer weights, and so does an LSTM for other runtimes', async () => {
  for (const layer of [gru({ units: 8 }), lstm({ units: 8 })]) {
    const float = classifier(layer);
    const quantized = quantizeDynamic(float, { recurrent: 'standard' });
    const inputs = words('input', 2, 9, 30);
    await expectAlike(quantized, float, inputs, 0.03);
    const reference = await outputOf(quantized, createReferenceBackend(), inputs);
    expect(relativeError(await runDirectly(quantized, inputs), reference)).toBeLessThan(0.01);
  }
});

test('the file is written, read and quantized models of files work alike', async () => {
  const float = smallGpt();
  const imported = readOnnx(writeOnnx(float, { trainingMetadata: false, opset: 17 }).bytes);
  const quantized = quantizeDynamic(imported, { scheme: { reduceRange: true } });
  expect(writeOnnx(quantized).bytes.length).toBeLessThan(writeOnnx(float).bytes.length * 0.7);
  await expectAlike(readOnnx(writeOnnx(quantized).bytes), float, words('tokens', 2, 7, 40), 0.05);
});

test('a stateful LSTM keeps what it remembers', async () => {
  const layers = [lstm({ units: 6, stateful: true }), dense({ units: 2 })];
  const float = sequential({ inputShape: [4, 3], batchSize: 2, layers, seed: 8 });
  const input = new Tensor(
    'float32',
    [2, 4, 3],
    Float32Array.from({ length: 24 }, (_, at) => Math.sin(at)),
  );
  const quantized = quantizeDynamic(float);
  const runTwice = async (model: Model): Promise<Tensor> => {
    const predictor = await createPredictor(model, backend);
    await predictor.predict({ input });
    const { output } = await predictor.predict({ input });
    await predictor.dispose();
    return output as Tensor;
  };
  expect(quantized.states).toHaveLength(2);
  const first = await outputOf(quantized, backend, { input });
  expect(relativeError(await runTwice(quantized), await runTwice(float))).toBeLessThan(0.05);
  expect(relativeError(await runTwice(quantized), first)).toBeGreaterThan(0.1);
});

test('a quantized GPT generates token by token as it reads whole texts', async () => {
  const quantized = quantizeDynamic(smallGpt());
  const generator = await createGenerator(quantized, { backend });
  const prompt = [3, 9, 27, 1];
  const generated: number[] = [];
  for await (const { token } of generator.generate(prompt, { maxTokens: 3, temperature: 0 })) generated.push(token);
  await generator.dispose();
  const tokens = new Tensor('int32', [1, 6], Int32Array.from([...prompt, ...generated.slice(0, 2)]));
  const logits = toNumbers(await outputOf(quantized, backend, { tokens }));
  const best = (step: number): number => {
    const row = logits.subarray(step * 40, (step + 1) * 40);
    return row.indexOf(row.reduce((a, b) => Math.max(a, b)));
  };
  expect(generated).toEqual([best(3), best(4), best(5)]);
});

test('a model without products is refused, naming its convolutions', () => {
  const layers = [conv2d({ filters: 2, kernelSize: 3 }), flatten()];
  expect(() => quantizeDynamic(sequential({ inputShape: [6, 6, 1], layers }))).toThrow('conv2d.kernel: convolutions');
});
