import { createBackend } from '@modelwright/backend-onnxruntime';
import { type Backend, fromNumbers, type Model, type Parameter, tensor, toNumbers, verify } from '@modelwright/core';
import {
  activation,
  batchNormalization,
  conv2d,
  dense,
  dropout,
  embedding,
  flatten,
  lstm,
  sequential,
  variationalAutoencoder,
} from '@modelwright/models';
import { createTrainer } from '@modelwright/training';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkOutputs } from './check-outputs.js';
import { optimizeGraph } from './optimize-graph.js';
import { opsOf, randomInputs, randomStatistics } from './same-outputs.cases.js';
import { tidy } from './tidy.js';
import { zoo } from './zoo.cases.js';

let backend: Backend;
beforeAll(async () => {
  backend = await createBackend();
});
afterAll(async () => {
  await backend.dispose();
});

test.each(zoo.filter(([name]) => ['resnet 20', 'denseNet', 'dcgan generator'].includes(name)))(
  '%s of the zoo computes the same with fewer nodes',
  async (_, make) => {
    const model = randomStatistics(make());
    const notes: string[] = [];
    const small = await optimizeGraph(model, {
      check: { backend, tolerance: 1e-5 },
      onNote: (note) => notes.push(note),
    });
    verify(small.graph);
    expect(opsOf(small).filter((op) => ['BatchNormalization', 'Mul', 'Dropout'].includes(op))).toEqual([]);
    expect(small.graph.nodes.length).toBeLessThan(0.6 * model.graph.nodes.length);
    expect(notes.at(-1)).toMatch(/^checked on 1 sample/);
  },
);

test('states, masks and losses of a model stay what they are', async () => {
  const layers = [
    embedding({ inputDim: 9, outputDim: 4, maskZero: true }),
    lstm({ units: 3, returnSequences: true, stateful: true }),
  ];
  const recurrent = sequential({ inputShape: [5], batchSize: 2, inputDType: 'int32', layers });
  const small = await optimizeGraph(recurrent);
  verify(small.graph);
  expect(small.states.map(({ name }) => name)).toEqual(recurrent.states.map(({ name }) => name));
  expect([...small.outputMasks.keys()]).toEqual([...recurrent.outputMasks.keys()]);
  const ids = {
    [recurrent.graph.inputs[0]?.name as string]: tensor(
      [
        [1, 2, 3, 0, 0],
        [4, 5, 6, 7, 0],
      ],
      { dtype: 'int32' },
    ),
  };
  await checkOutputs(recurrent, small, { backend, samples: [ids, ids] });
  const model = variationalAutoencoder({ inputShape: [8, 8, 1], latentSize: 2 });
  const reduced = await optimizeGraph(model);
  verify(reduced.graph);
  expect(reduced.losses.map(({ name }) => name)).toEqual(model.losses.map(({ name }) => name));
});

test('a model without normalization trains on', async () => {
  const layers = [
    ...[conv2d({ filters: 4, kernelSize: 3, useBias: false }), batchNormalization(), activation('relu'), flatten()],
    ...[dropout({ rate: 0.5 }), dense({ units: 3 })],
  ];
  const model = await optimizeGraph(randomStatistics(sequential({ inputShape: [6, 6, 1], layers })));
  expect(model.parameters.map(({ name }) => name)).toEqual([
    'conv2d.kernel',
    'conv2d.bias',
    'dense.kernel',
    'dense.bias',
  ]);
  const trainer = await createTrainer(model, { backend, loss: 'meanSquaredError', optimizer: 'adam' });
  const x = fromNumbers(
    'float32',
    [16, 6, 6, 1],
    Array.from({ length: 576 }, (_, at) => Math.sin(at)),
  );
  const y = fromNumbers(
    'float32',
    [16, 3],
    Array.from({ length: 48 }, (_, at) => Math.cos(at)),
  );
  const { values } = await trainer.fit({ x, y }, { epochs: 3, batchSize: 16, verbose: 0 });
  await trainer.dispose();
  const losses = values['loss'] as readonly number[];
  expect(losses.at(-1)).toBeLessThan(losses[0] as number);
});

test('the step of a pipeline compares outputs on calibration data and tells what it did', async () => {
  const model = randomStatistics(sequential({ inputShape: [4], layers: [dense({ units: 3 }), batchNormalization()] }));
  const calibration = async function* () {
    for (const seed of [1, 2, 3]) yield randomInputs(model, 4, seed);
  };
  const { model: small, notes } = await tidy().apply(model, { backend, calibration, extensions: [] });
  expect(opsOf(small)).toEqual(['Gemm']);
  expect(notes?.at(-1)).toMatch(/^checked on 2 samples: outputs differ by at most \d/);
});

test('an output that differs is named', async () => {
  const make = (): Model => sequential({ inputShape: [4], layers: [dense({ units: 3 })], outputName: 'score' });
  const [first, second] = [make(), make()];
  const kernel = first.parameters[0] as Parameter;
  second.setWeights({
    [kernel.name]: fromNumbers(
      'float32',
      [4, 3],
      toNumbers(first.weightOf(kernel)).map((each) => each + 0.01),
    ),
  });
  await expect(checkOutputs(first, second, { backend })).rejects.toMatchObject({
    code: 'value-out-of-range',
    message: expect.stringMatching(
      /^output 'score' of model 'sequential' differs by 0\.0\d+ after rewriting its graph; 0.0001 is allowed$/,
    ),
  });
  await expect(checkOutputs(first, second, { backend, tolerance: 0.1 })).resolves.toMatch(/^checked on 1 sample/);
});
