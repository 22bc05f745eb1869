import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createPredictor, createReferenceBackend, type Model, Tensor, toNumbers, zeros } from '@modelwright/core';
import { conv2d, dense, flatten, maxPooling2d, sequential } from '@modelwright/models';
import { createTrainer } from '@modelwright/training';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadBackend } from './backend/load-backend.js';
import { readLayersModelFile, readLayersModelWeightsFile } from './files/layers-model-file.js';
import { loadModel, saveModel } from './load-model.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'load-model-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const model = sequential({
  inputShape: [8, 8, 1],
  layers: [
    conv2d({ filters: 4, kernelSize: 3, activation: 'relu' }),
    maxPooling2d({ poolSize: 2 }),
    flatten(),
    dense({ units: 3, activation: 'softmax' }),
  ],
});
const image = Float32Array.from({ length: 2 * 64 }, (_, at) => Math.sin(at));

async function predictFresh(): Promise<Tensor> {
  const predictor = await createPredictor(model, createReferenceBackend());
  return onlyOutput(await predictor.predict(image));
}

const onlyOutput = (outputs: { readonly [name: string]: Tensor }): Tensor => Object.values(outputs)[0]!;

describe.each(['onnxruntime', 'reference'])('a saved model on %s', (name) => {
  test('predicts as the one in memory', async () => {
    const file = join(folder, `${name}.onnx`);
    expect(await saveModel(model, file)).toEqual([file]);
    const predictor = await loadModel(file, { backend: name });
    const [expected, actual] = [await predictFresh(), onlyOutput(await predictor.predict(image))];
    expect(actual.shape).toEqual([2, 3]);
    toNumbers(expected).forEach((value, at) => {
      expect(toNumbers(actual)[at]).toBeCloseTo(value, 5);
    });
    expect(predictor.model.parameters.map((parameter) => parameter.name)).toEqual(
      model.parameters.map((parameter) => parameter.name),
    );
    await predictor.dispose();
  });
});

test('the file holds no layout changes that undo each other; a model that reads it trains on', async () => {
  const file = join(folder, 'layout.onnx');
  await saveModel(model, file);
  const { model: reloaded } = await loadModel(file, { backend: 'reference' });
  const transposes = (given: Model): number => given.graph.nodes.filter(({ op }) => op === 'Transpose').length;
  expect(transposes(reloaded)).toBeLessThan(transposes(model));
  const backend = await loadBackend('reference');
  const trainer = await createTrainer(reloaded, { backend, optimizer: 'sgd', loss: 'sparseCategoricalCrossentropy' });
  const before = reloaded.getWeights();
  await trainer.fit(
    { x: new Tensor('float32', [2, 8, 8, 1], image), y: [0, 2] },
    { epochs: 1, batchSize: 2, verbose: 0 },
  );
  for (const [name, weight] of Object.entries(before)) expect(trainer.model.getWeights()[name]).not.toEqual(weight);
});

test('a backend that was passed in outlives the predictor', async () => {
  const file = join(folder, 'shared.onnx');
  await saveModel(model, file);
  const backend = await loadBackend('onnxruntime');
  const first = await loadModel(file, { backend });
  const second = await loadModel(file, { backend });
  await first.dispose();
  expect(onlyOutput(await second.predict(image)).shape).toEqual([2, 3]);
  await backend.dispose();
});

test('weights can go into a file of their own', async () => {
  const file = join(folder, 'external.onnx');
  expect(await saveModel(model, file, { externalData: { minimumBytes: 1 } })).toEqual([file, `${file}.data`]);
  expect(readdirSync(folder)).toContain('external.onnx.data');
  const predictor = await loadModel(file, { backend: 'reference' });
  expect(onlyOutput(await predictor.predict(image))).toEqual(await predictFresh());
});

describe('mistakes', () => {
  test('a missing file', async () => {
    await expect(loadModel(join(folder, 'none.onnx'))).rejects.toMatchObject({ code: 'file-unreadable' });
  });

  test('a folder that is not there', async () => {
    await expect(saveModel(model, join(folder, 'none/x.onnx'))).rejects.toMatchObject({ code: 'file-unwritable' });
  });

  test('an input of another shape names the input and both shapes', async () => {
    const file = join(folder, 'shape.onnx');
    await saveModel(model, file);
    const predictor = await loadModel(file, { backend: 'reference' });
    await expect(predictor.predict(zeros('float32', [1, 9, 8, 1]))).rejects.toMatchObject({
      code: 'shape-mismatch',
      message: expect.stringMatching(/input.*\[batch,8,8,1\].*\[1,9,8,1\]/),
    });
  });
});

describe('a model.json of TensorFlow.js', () => {
  const fixture = new URL('../../models/fixtures/layers-models.json', import.meta.url);
  const [saved] = JSON.parse(readFileSync(fixture, 'utf8')).cases;

  test('is read with its shards, wherever they are cut', async () => {
    const bytes = Buffer.from(saved.weights, 'base64');
    const paths = ['group1-shard1of2.bin', 'group1-shard2of2.bin'];
    const [{ weights }] = saved.model.weightsManifest;
    writeFileSync(
      join(folder, 'model.json'),
      JSON.stringify({ ...saved.model, weightsManifest: [{ paths, weights }] }),
    );
    writeFileSync(join(folder, paths[0] as string), bytes.subarray(0, 101));
    writeFileSync(join(folder, paths[1] as string), bytes.subarray(101));
    const predictor = await loadModel(join(folder, 'model.json'), { backend: 'reference' });
    const [{ shape, data }] = saved.inputs;
    const output = onlyOutput(await predictor.predict(new Tensor('float32', shape, Float32Array.from(data))));
    const numbers = toNumbers(output);
    for (const [index, value] of saved.outputs[0].data.entries()) expect(numbers[index]).toBeCloseTo(value, 5);
    await predictor.dispose();
    const { model: again } = await readLayersModelFile(join(folder, 'model.json'));
    const zeroed = again.parameters.map((each) => [each.name, zeros('float32', again.weightOf(each).shape)] as const);
    const trained = again.getWeights();
    again.setWeights(Object.fromEntries(zeroed));
    expect((await readLayersModelWeightsFile(again, join(folder, 'model.json'))).missing).toEqual([]);
    expect(again.getWeights()).toEqual(trained);
  });

  test('a shard that is not there, or elsewhere, is named', async () => {
    const lonely = join(folder, 'lonely.json');
    writeFileSync(lonely, JSON.stringify(saved.model));
    await expect(readLayersModelFile(lonely)).rejects.toMatchObject({ code: 'file-unreadable' });
    await expect(readLayersModelFile(lonely)).rejects.toThrow('weights.bin');
    const [{ weights }] = saved.model.weightsManifest;
    const outside = { ...saved.model, weightsManifest: [{ paths: ['../secret.bin'], weights }] };
    writeFileSync(lonely, JSON.stringify(outside));
    await expect(readLayersModelFile(lonely)).rejects.toThrow("names the shard '../secret.bin'");
  });
});
