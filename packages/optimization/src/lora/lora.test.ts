import {
  createPredictor,
  createReferenceBackend,
  decodeSafetensors,
  fromNumbers,
  type Model,
  removeDeadNodes,
  type Tensor,
  type TensorMap,
  tensor,
  toNumbers,
} from '@modelwright/core';
import {
  batchNormalization,
  conv2d,
  conv2dTranspose,
  dense,
  depthwiseConv2d,
  embedding,
  flatten,
  globalAveragePooling1d,
  gpt,
  input,
  lstm,
  model,
  multiHeadAttention,
  sequential,
} from '@modelwright/models';
import { readOnnx, writeOnnx } from '@modelwright/onnx';
import { adam, createTrainer } from '@modelwright/training';
import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { expect, test } from 'vitest';
import {
  activateLora,
  addLora,
  encodeLora,
  loadLora,
  lora,
  loraAdapters,
  loraWeights,
  mergeLora,
  removeLora,
  trainableShare,
} from './index.js';

const backend = createReferenceBackend();
const draw = (count: number, from: number): Float32Array =>
  Float32Array.from({ length: count }, (_, at) => (((at + from) * 7919 + 13) % 101) / 101 - 0.5);

const images = (): Model =>
  sequential({
    ...{ name: 'images', inputShape: [6, 6, 2] },
    layers: [
      conv2d({ name: 'stem', filters: 4, kernelSize: 3, strides: 2, padding: 'same', activation: 'relu' }),
      batchNormalization({ name: 'norm' }),
      depthwiseConv2d({ name: 'deep', kernelSize: 2 }),
      conv2dTranspose({ name: 'up', filters: 3, kernelSize: 2 }),
      flatten(),
      dense({ name: 'wide', units: 6 }),
    ],
  });
const words = (): Model => {
  const tokens = input({ shape: [5], name: 'tokens', dtype: 'int32' });
  const vectors = embedding({ name: 'words', inputDim: 9, outputDim: 6 })(tokens);
  const attended = multiHeadAttention({ name: 'attend', numHeads: 2, keyDim: 3 })([vectors, vectors]);
  const read = lstm({ name: 'read', units: 4, returnSequences: true })(attended);
  return model({
    name: 'words',
    inputs: tokens,
    outputs: dense({ name: 'out', units: 3 })(globalAveragePooling1d()(read)),
  });
};
const characters = (): Model => gpt({ vocabularySize: 11, sequenceLength: 6, layers: 2, heads: 2, width: 8 });
const pixels = tensor(draw(2 * 72, 1), { shape: [2, 6, 6, 2] });
const ids = (length: number, count: number): Tensor =>
  tensor(
    Int32Array.from({ length: 2 * length }, (_, at) => (at * 5) % count),
    { shape: [2, length], dtype: 'int32' },
  );

async function outputOf(network: Model, x: Tensor): Promise<Float64Array> {
  const predictor = await createPredictor(network, backend);
  const results = await predictor.predict({ [network.graph.inputs[0]?.name as string]: x });
  return toNumbers(Object.values(results)[0] as Tensor);
}

const distance = (a: Float64Array, b: Float64Array): number =>
  a.reduce((most, each, at) => Math.max(most, Math.abs(each - (b[at] as number))), 0);

/** As training would: every factor of an adapter becomes something else. */
function stir(network: Model, adapter = 'default', from = 0): void {
  const factors = Object.entries(network.getWeights()).filter(
    ([name]) => name.endsWith(`.${adapter}`) && /lora_[AB]/.test(name),
  );
  const stirred = factors.map(([name, { shape, dtype, elementCount }], at): [string, Tensor] => [
    name,
    fromNumbers(dtype, shape, draw(elementCount, at + from)),
  ]);
  network.setWeights(Object.fromEntries(stirred));
}

const everything = { include: [/./] };
const cases = [
  { name: 'convolutions and dense layers', build: images, x: pixels, adapted: 2, options: {} },
  { name: 'grouped and transposed convolutions', build: images, x: pixels, adapted: 4, options: everything },
  { name: 'embeddings and attention', build: words, x: ids(5, 9), adapted: 6, options: {} },
  { name: 'recurrent layers', build: words, x: ids(5, 9), adapted: 8, options: everything },
  { name: 'a GPT with tied embeddings', build: characters, x: ids(6, 11), adapted: 9, options: { exclude: ['wpe'] } },
];

test.each(cases)(
  '$name: begin unchanged, merge exactly, go without a trace',
  async ({ build, x, adapted, options }) => {
    const base = build();
    const model = addLora(base, { rank: 2, alpha: 3, ...options });
    expect(Object.keys(model.getWeights()).filter((name) => name.includes('lora_A'))).toHaveLength(adapted);
    const before = await outputOf(base, x);
    expect(distance(await outputOf(model, x), before)).toBeLessThan(1e-6);
    stir(model);
    const changed = await outputOf(model, x);
    expect(distance(changed, before)).toBeGreaterThan(1e-2);
    const merged = mergeLora(model);
    expect(distance(await outputOf(merged, x), changed)).toBeLessThan(1e-5);
    for (const plain of [merged, removeLora(model)]) {
      expect(plain.parameters.map(({ name, trainable }) => [name, trainable])).toEqual(
        base.parameters.map(({ name, trainable }) => [name, trainable]),
      );
      expect(plain.graph.nodes.map(({ op }) => op)).toEqual(removeDeadNodes.run(base.graph).nodes.map(({ op }) => op));
      expect(plain.graph.outputs.map(({ value }) => value.name)).toEqual(
        base.graph.outputs.map(({ value }) => value.name),
      );
    }
    expect(removeLora(model).getWeights()).toEqual(base.getWeights());
  },
);

test('only the adapters are trained', async () => {
  const model = addLora(images(), { rank: 1, dropout: 0.1 });
  const { trainable, total, share } = trainableShare(model);
  expect(trainable).toBe(2 * 9 + 4 + model.getWeights()['wide.kernel']!.shape[0]! + 6);
  expect(share).toBe(trainable / total);
  const before = model.getWeights();
  const trainer = await createTrainer(model, { backend, optimizer: adam({ learningRate: 0.05 }), loss: 'mse' });
  const y = tensor(draw(12, 5), { shape: [2, 6] });
  const losses: number[] = [];
  for (let step = 0; step < 20; step++)
    losses.push((await trainer.trainOnBatch({ x: pixels, y } as never))['loss'] as number);
  await trainer.sync();
  const changed = Object.entries(model.getWeights()).filter(
    ([name, weight]) => distance(toNumbers(weight), toNumbers(before[name]!)) > 0,
  );
  expect(changed.map(([name]) => name).sort()).toEqual(
    ['stem.kernel', 'wide.kernel'].flatMap((name) => [`${name}.lora_A.default`, `${name}.lora_B.default`]),
  );
  expect(losses.at(-1)).toBeLessThan(0.8 * (losses[0] as number));
});

test('adapters are saved by the names of PEFT, loaded and switched', async () => {
  const base = characters();
  const x = ids(6, 11);
  const options = { rank: 2, alpha: 4, include: ['wte', 'c_attn'] };
  const both = addLora(addLora(base, { ...options, name: 'french' }), { ...options, name: 'latin' });
  stir(both, 'french');
  stir(both, 'latin', 50);
  activateLora(both, 'french');
  expect(loraAdapters(both)).toEqual({ all: ['french', 'latin'], active: ['french'] });
  expect(both.parameters.filter((each) => each.trainable).every(({ name }) => name.endsWith('.french'))).toBe(true);
  const french = await outputOf(both, x);
  activateLora(both, 'latin');
  const latin = await outputOf(both, x);
  activateLora(both);
  expect(distance(await outputOf(both, x), await outputOf(base, x))).toBeLessThan(1e-6);

  const { tensors, metadata } = decodeSafetensors(encodeLora(both, 'french'));
  expect(metadata).toMatchObject({ r: '2', lora_alpha: '4' });
  const shapes = Object.fromEntries(Object.entries(tensors).map(([name, { shape }]) => [name, shape]));
  expect(shapes).toMatchObject({
    'base_model.model.wte.lora_embedding_A': [2, 11],
    'base_model.model.wte.lora_embedding_B': [8, 2],
    'base_model.model.h.1.attn.c_attn.lora_A.weight': [2, 8],
    'base_model.model.h.1.attn.c_attn.lora_B.weight': [24, 2],
  });
  const loaded = loadLora(base, encodeLora(both, 'french'));
  expect(distance(await outputOf(loaded, x), french)).toBeLessThan(1e-6);
  expect(loadLora(loaded, loraWeights(both, 'latin'))).toBe(loaded);
  expect(distance(await outputOf(loaded, x), latin)).toBeLessThan(1e-6);
  expect(distance(await outputOf(mergeLora(loaded), x), latin)).toBeLessThan(1e-5);
  expect(distance(await outputOf(removeLora(both, 'latin'), x), await outputOf(base, x))).toBeLessThan(1e-6);
});

test('an imported model takes adapters; files keep them, and run without us', async () => {
  const base = readOnnx(writeOnnx(images(), { trainingMetadata: false }).bytes);
  const adapted = addLora(base, { rank: 2 });
  stir(adapted);
  const expected = await outputOf(adapted, pixels);
  const { bytes } = writeOnnx(adapted);
  const again = readOnnx(bytes);
  expect(distance(await outputOf(mergeLora(again), pixels), expected)).toBeLessThan(1e-5);
  for (const file of [bytes, writeOnnx(mergeLora(again)).bytes]) {
    const session = await InferenceSession.create(file);
    const feeds = {
      [session.inputNames[0] as string]: new OrtTensor('float32', pixels.data as Float32Array, pixels.shape),
    };
    const results = await session.run(feeds);
    const given = Float64Array.from(Object.values(results)[0]?.data as Float32Array);
    expect(distance(given, expected)).toBeLessThan(1e-5);
  }
});

test('as a step it trains few weights and merges them', async () => {
  const base = images();
  const step = lora({
    rank: 1,
    async train(model, context) {
      const trainer = await createTrainer(model, { ...context, loss: 'mse' });
      await trainer.trainOnBatch({ x: pixels, y: tensor(draw(12, 5), { shape: [2, 6] }) } as never);
      await trainer.sync();
    },
  });
  const { model, notes } = await step.apply(base, { backend, extensions: [] });
  expect(Object.keys(model.getWeights())).toEqual(Object.keys(base.getWeights()));
  expect(distance(await outputOf(model, pixels), await outputOf(base, pixels))).toBeGreaterThan(0);
  expect(notes?.[0]).toMatch(/weights trained, .* % of all/);
});

test('says what cannot be', () => {
  expect(() => addLora(images(), { include: ['nothing'] })).toThrow(/no weight .* there are: stem.kernel/);
  expect(() => addLora(images(), { rank: 0 })).toThrow(/rank is 0/);
  expect(() => addLora(addLora(images()))).toThrow(/already has an adapter 'default'/);
  expect(() => loraWeights(images())).toThrow(/has no adapters/);
  const two = addLora(addLora(images(), { name: 'a' }), { name: 'b' });
  expect(() => loraWeights(two)).toThrow(/not one adapter; it has: a, b/);
  const stray: TensorMap = { 'base_model.model.nowhere.lora_A.weight': tensor([[1]]) };
  expect(() => loadLora(images(), stray)).toThrow(/no place for 1 of the adapter's weights: base_model.model.nowhere/);
  const small = loraWeights(
    addLora(sequential({ inputShape: [3], layers: [dense({ name: 'wide', units: 2 })] }), { rank: 1 }),
  );
  expect(() => loadLora(images(), small)).toThrow(/'wide.kernel' .* are \[3,1\] and \[1,2\]/);
});
