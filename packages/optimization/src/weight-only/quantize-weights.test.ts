import { createBackend } from '@modelwright/backend-onnxruntime';
import {
  createPredictor,
  evaluateGraph,
  evaluateNodeOn,
  fromNumbers,
  GraphBuilder,
  isModelwrightError,
  Model,
  type Node,
  type Tensor,
  type TensorMap,
  toNumbers,
  type Value,
} from '@modelwright/core';
import { dense, gpt, sequential } from '@modelwright/models';
import { readOnnx, writeOnnx } from '@modelwright/onnx';
import { createGenerator, fitCharacterTokenizer } from '@modelwright/text';
import * as ort from 'onnxruntime-node';
import { afterAll, describe, expect, test } from 'vitest';
import { countWeights } from '../report/weight-counts.js';
import { quantizeWeightOnly, quantizeWeights, weightOnlyQuantized } from './quantize-weights.js';

const opened = createBackend();
afterAll(async () => (await opened).dispose());

const characters = (): Model =>
  gpt({ vocabularySize: 30, sequenceLength: 8, layers: 1, heads: 2, width: 32, initializerRange: 0.15 });

const tokens = (seed: number): TensorMap => ({
  tokens: fromNumbers(
    'int32',
    [3, 8],
    Array.from({ length: 24 }, (_, at) => (at * at * (seed + 3) + 7 * at) % 30),
  ),
});

async function outputs(model: Model, inputs: TensorMap): Promise<Float64Array> {
  const predictor = await createPredictor(model, await opened);
  const [first] = Object.values(await predictor.predict(inputs));
  await predictor.dispose();
  return toNumbers(first as Tensor);
}

/** The model's file through onnxruntime-node itself. */
async function outputsOfFile(model: Model, inputs: TensorMap): Promise<Float64Array> {
  const session = await ort.InferenceSession.create(writeOnnx(model).bytes);
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

describe.each([
  { bits: 4, embeddingBits: 4, symmetric: true },
  { bits: 4, embeddingBits: 4, symmetric: false },
  { bits: 8, symmetric: true },
  { bits: 8, symmetric: false },
] as const)('a GPT whose embedding is its output layer, $bits bits, symmetric $symmetric', (options) => {
  const model = characters();
  const inputs = tokens(1);

  test('codes and scales stand for weights near those of before', async () => {
    const { weights } = await weightOnlyQuantized(model, options);
    expect(weights.map(({ name }) => name)).toEqual([
      ...['wte.embeddings', 'wpe.embeddings'],
      ...['attn.c_attn', 'attn.c_proj', 'mlp.c_fc', 'mlp.c_proj'].map((layer) => `h.0.${layer}.kernel`),
    ]);
    for (const { relativeError } of weights) {
      expect(Math.sqrt(relativeError)).toBeLessThan(options.bits === 4 ? 0.1 : 0.006);
      expect(Math.sqrt(relativeError)).toBeGreaterThan(options.bits === 4 ? 0.05 : 0.003);
    }
  });

  test.each(['MatMulNBits', 'dequantize'] as const)(
    '%s computes what the codes stand for, also from the file',
    async (target) => {
      const quantized = await quantizeWeightOnly(model, { ...options, target, accuracyLevel: 0 });
      const standard = await quantizeWeightOnly(model, { ...options, target: 'dequantize' });
      const { logits } = evaluateGraph(standard.graph, inputs);
      const given = await outputs(quantized, inputs);
      // The runtime makes products of its own, with activations in int8, of 4-bit DequantizeLinear.
      const limit = target === 'dequantize' ? 2e-2 : 1e-5;
      expect(distance(given, toNumbers(logits as Tensor))).toBeLessThan(limit);
      expect(distance(await outputsOfFile(quantized, inputs), given)).toBeLessThan(1e-5);
      expect(bytesOf(quantized)).toBeLessThan(bytesOf(model) / (options.bits === 4 ? 2.5 : 1.8));
    },
  );
});

test('weights keep their names and are trained no more', async () => {
  const model = await quantizeWeightOnly(characters());
  const { parameters } = model;
  expect(parameters.map(({ name }) => name)).toEqual(characters().parameters.map(({ name }) => name));
  expect(parameters.find(({ name }) => name === 'h.0.mlp.c_fc.kernel')?.trainable).toBe(false);
  expect(parameters.find(({ name }) => name === 'h.0.mlp.c_fc.bias')?.trainable).toBe(true);
});

test('embeddings are rounded to 8 bits unless told otherwise', async () => {
  const { weights, notes } = await weightOnlyQuantized(characters());
  const errors = weights.map(({ relativeError }) => Math.sqrt(relativeError) < 0.01);
  expect(errors).toEqual([true, true, false, false, false, false]);
  expect(notes[0]).toContain('(embeddings in int8)');
  const failure = await quantizeWeightOnly(characters(), { embeddingBits: 5 as never }).catch((error: Error) => error);
  expect((failure as Error).message).toBe('embeddingBits 5 is not possible; allowed: 4, 8');
});

test('GPTQ costs outputs less than rounding to nearest', async () => {
  const model = characters();
  const backend = await opened;
  const calibration = [1, 2, 3, 4, 5, 6, 7, 8].map(tokens);
  const errors = await Promise.all(
    (['rtn', 'gptq'] as const).map(async (method) => {
      const quantized = await quantizeWeightOnly(model, { method, backend, calibration });
      return distance(await outputs(quantized, tokens(11)), await outputs(model, tokens(11)));
    }),
  );
  expect(errors[1]).toBeLessThan((errors[0] as number) * 0.9);
});

test('layers can be named, and left out', async () => {
  const model = characters();
  const { weights } = await weightOnlyQuantized(model, { include: ['h.0'], exclude: [/c_proj/] });
  expect(weights.map(({ name }) => name)).toEqual(['h.0.attn.c_attn.kernel', 'h.0.mlp.c_fc.kernel']);
  const failure = await quantizeWeightOnly(model, { exclude: ['h.7'] }).catch((error: unknown) => error);
  expect(isModelwrightError(failure, 'invalid-argument')).toBe(true);
  expect((failure as Error).message).toContain('h.7');
});

test('GPTQ says what it is missing, and blocks what sizes there are', async () => {
  const messages = await Promise.all(
    [{ method: 'gptq' }, { blockSize: 24 }].map((options) =>
      quantizeWeightOnly(characters(), options as never).catch((error: Error) => error.message),
    ),
  );
  expect(messages[0]).toContain('a backend is needed');
  expect(messages[1]).toContain('powers of two');
});

test('dense layers whose widths fill no block, with a Gemm bias', async () => {
  const model = sequential({
    inputShape: [40],
    layers: [dense({ units: 33, activation: 'relu', biasInitializer: 'ones' }), dense({ units: 7 })],
  });
  const inputs = {
    input: fromNumbers(
      'float32',
      [4, 40],
      Array.from({ length: 160 }, (_, at) => Math.sin(at)),
    ),
  };
  const quantized = await quantizeWeightOnly(model, { symmetric: false, accuracyLevel: 0 });
  const standard = await quantizeWeightOnly(model, { symmetric: false, target: 'dequantize' });
  expect(quantized.graph.nodes.filter(({ op }) => op === 'MatMulNBits').length).toBe(2);
  const { output } = evaluateGraph(standard.graph, inputs);
  expect(distance(await outputsOfFile(quantized, inputs), toNumbers(output as Tensor))).toBeLessThan(1e-5);
  expect(distance(await outputsOfFile(standard, inputs), toNumbers(output as Tensor))).toBeLessThan(2e-2);
});

test.each([
  { attributes: { transB: 1 }, bias: [5], op: 'MatMulNBits' },
  { attributes: { transB: 1 }, bias: [1, 5], op: 'MatMulNBits' },
  { attributes: { transB: 1, alpha: 0.5 }, bias: [5], op: 'DequantizeLinear' },
  { attributes: { transB: 1, beta: 2 }, bias: [1], op: 'DequantizeLinear' },
])('a Gemm as exporters write it, $attributes with a bias of $bias', async ({ attributes, bias, op }) => {
  const wave = (shape: readonly number[]): Tensor =>
    fromNumbers(
      'float32',
      shape,
      Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, at) => Math.sin(at * 1.7)),
    );
  const builder = new GraphBuilder('exported');
  const [weight, offset] = [builder.constant(wave([5, 64])), builder.constant(wave(bias))];
  builder.output('y', builder.op('Gemm', [builder.input('x', 'float32', ['n', 64]), weight, offset], attributes));
  const model = new Model({ name: 'exported', graph: builder.build(), parameters: [] });
  const quantized = await quantizeWeightOnly(model, { accuracyLevel: 0 });
  expect(quantized.graph.nodes.map((node) => node.op)).toContain(op);
  const { y } = evaluateGraph(quantized.graph, { x: wave([3, 64]) });
  expect(distance(await outputsOfFile(quantized, { x: wave([3, 64]) }), toNumbers(y as Tensor))).toBeLessThan(2e-2);
  const { y: float } = evaluateGraph(model.graph, { x: wave([3, 64]) });
  expect(distance(toNumbers(y as Tensor), toNumbers(float as Tensor))).toBeLessThan(0.2);
});

test('pruned weights stay zero', async () => {
  const model = characters();
  const name = 'h.0.mlp.c_fc.kernel';
  const kernel = model.getWeights()[name] as Tensor;
  const pruned = toNumbers(kernel).map((value, at) => (at % 3 === 0 ? value : 0));
  model.setWeights({ [name]: fromNumbers('float32', kernel.shape, pruned) });
  for (const symmetric of [true, false]) {
    const { graph } = await quantizeWeightOnly(model, { symmetric, target: 'dequantize' });
    const node = graph.nodes.find(({ op, inputs }) => op === 'DequantizeLinear' && inputs[0]?.name === name) as Node;
    const inputs = node.inputs.map((value) => graph.constants.get(value as Value));
    const restored = toNumbers(evaluateNodeOn(node, inputs)[0] as Tensor);
    expect(pruned.every((value, at) => value !== 0 || restored[at] === 0)).toBe(true);
    expect(restored.some((value) => value !== 0)).toBe(true);
  }
});

test('a file that is read again computes the same', async () => {
  const quantized = await quantizeWeightOnly(characters(), { symmetric: false });
  const again = readOnnx(writeOnnx(quantized).bytes);
  const [before, after] = [await outputs(quantized, tokens(1)), await outputs(again, tokens(1))];
  expect(distance(after, before)).toBeLessThan(1e-6);
});

test('an imported file is quantized', async () => {
  const imported = readOnnx(writeOnnx(characters(), { opset: 18, trainingMetadata: false }).bytes);
  const { model, weights } = await weightOnlyQuantized(imported, { method: 'rtn' });
  expect(weights.length).toBe(6);
  const given = await outputs(model, tokens(1));
  expect(distance(await outputsOfFile(model, tokens(1)), given)).toBeLessThan(1e-5);
});

test('zeros are counted alike in both forms, and the weights as those of before', async () => {
  const model = characters();
  const [packed, standard] = await Promise.all(
    (['MatMulNBits', 'dequantize'] as const).map(async (target) =>
      countWeights((await quantizeWeightOnly(model, { target })).graph),
    ),
  );
  expect(packed?.nonZeroWeights).toBe(standard?.nonZeroWeights);
  expect(packed?.weights).toBe(countWeights(model.graph).weights);
  expect(packed?.nonZeroWeights).toBeLessThan(packed?.weights as number);
});

test('text is generated with a cache, the same in both forms', async () => {
  const tokenizer = fitCharacterTokenizer('abcdefghijklmnopqrstuvwxyz');
  const model = gpt({
    ...{ vocabularySize: tokenizer.vocabularySize, sequenceLength: 16, layers: 1, heads: 2, width: 32 },
    initializerRange: 0.3,
  });
  const texts = [];
  for (const target of ['MatMulNBits', 'dequantize'] as const) {
    const quantized = await quantizeWeightOnly(model, { target, bits: 8 });
    const generator = await createGenerator(quantized, { backend: await opened, tokenizer });
    let written = '';
    for await (const { text } of generator.generateText('abc', { maxTokens: 8, temperature: 0 })) written += text;
    texts.push(written);
    await generator.dispose();
  }
  expect(texts[0]).toHaveLength(8);
  expect(texts[1]).toBe(texts[0]);
});

test('as a step it notes what it did', async () => {
  const step = quantizeWeights({ bits: 8 });
  const { notes = [] } = await step.apply(characters(), { backend: await opened, extensions: [] });
  expect(step.name).toBe('quantizeWeights int8 rtn blocks of 32');
  expect(notes[0]).toContain('6 weights in int8');
});
