import { createBackend } from '@modelwright/backend-onnxruntime';
import { type Backend, fromNumbers, GraphBuilder, inlineGraph, Model, type Value, verify } from '@modelwright/core';
import {
  averagePooling2d,
  batchNormalization,
  conv2d,
  dense,
  flatten,
  input,
  type Layer,
  sequential,
  model as zooModel,
} from '@modelwright/models';
import { readOnnx, writeOnnx } from '@modelwright/onnx';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { foldBatchNormalization } from './fold-batch-normalization.js';
import { largestDifference, opsOf, randomStatistics } from './same-outputs.cases.js';
import { zoo } from './zoo.cases.js';

let backend: Backend;
beforeAll(async () => {
  backend = await createBackend();
});
afterAll(async () => {
  await backend.dispose();
});

describe('networks of the zoo compute the same without BatchNormalization', () => {
  test.each(zoo)('%s', async (_, make) => {
    const model = randomStatistics(make());
    const folded = foldBatchNormalization(model);
    verify(folded.graph);
    expect(opsOf(model)).toContain('BatchNormalization');
    expect(opsOf(readOnnx(writeOnnx(folded).bytes))).not.toContain('BatchNormalization');
    expect(await largestDifference(backend, model, folded)).toBeLessThan(1e-4);
  });
});

/** Layers whose fold is exact: outputs on the oracle, what is left of the normalization, and the names of the weights. */
const folded = async (
  model: Model,
): Promise<{ readonly model: Model; readonly ops: readonly string[]; readonly difference: number }> => {
  const result = foldBatchNormalization(randomStatistics(model));
  verify(result.graph);
  return { model: result, ops: opsOf(result), difference: await largestDifference(backend, model, result) };
};

const weightsOf = ({ parameters }: Model): readonly string[] => parameters.map(({ name }) => name);

test('a convolution without a bias gets one, beside its kernel', async () => {
  const layers = [
    conv2d({ filters: 4, kernelSize: 3, padding: 'same', useBias: false, name: 'stem' }),
    batchNormalization(),
  ];
  const { model, ops, difference } = await folded(sequential({ inputShape: [6, 6, 2], layers }));
  expect(ops).toEqual(['Transpose', 'Conv', 'Transpose']);
  expect(weightsOf(model)).toEqual(['stem.kernel', 'stem.bias']);
  expect(model.layers.map(({ name, parameters }) => [name, parameters])).toEqual([
    ['input', []],
    ['stem', ['stem.kernel', 'stem.bias']],
  ]);
  expect(difference).toBeLessThan(1e-6);
});

test('normalization before a convolution that pads nothing folds into it, else only its scale', async () => {
  const make = (padding: 'same' | 'valid'): Model =>
    sequential({
      inputShape: [6, 6, 2],
      layers: [batchNormalization(), conv2d({ filters: 4, kernelSize: 3, padding, groups: 2 })],
    });
  const exact = await folded(make('valid'));
  expect(exact.ops).toEqual(['Transpose', 'Conv', 'Transpose']);
  expect(exact.difference).toBeLessThan(1e-5);
  const padded = await folded(make('same'));
  // The scale of a border of zeros is zero; what is added to it is not.
  expect(padded.ops).toEqual(['Add', 'Transpose', 'Conv', 'Transpose']);
  expect(padded.difference).toBeLessThan(1e-5);
  expect(weightsOf(padded.model)).toEqual(['batchNormalization.beta', 'conv2d.kernel', 'conv2d.bias']);
});

test('through pooling, flattening and dense layers of any rank', async () => {
  const pooled = [
    ...[averagePooling2d({ poolSize: 2 }), batchNormalization(), flatten(), batchNormalization()],
    ...[dense({ units: 3 }), batchNormalization()],
  ];
  const first = await folded(sequential({ inputShape: [4, 4, 2], layers: pooled }));
  expect(first.ops.filter((op) => ['Mul', 'Add', 'Gemm'].includes(op))).toEqual(['Gemm']);
  expect(first.difference).toBeLessThan(1e-5);
  const layers = [dense({ units: 3 }), batchNormalization(), dense({ units: 4 })];
  const second = await folded(sequential({ inputShape: [5, 2], layers }));
  expect(second.ops).toEqual(['MatMul', 'Add', 'MatMul', 'Add']);
  expect(weightsOf(second.model)).toEqual(['dense.kernel', 'dense.bias', 'dense_1.kernel', 'dense_1.bias']);
  expect(second.difference).toBeLessThan(1e-5);
});

test('through a transposed convolution with groups, and the sum of two branches', async () => {
  const builder = new GraphBuilder('g');
  const vary = (shape: readonly number[], seed: number) =>
    fromNumbers(
      'float32',
      shape,
      Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(seed + 3 * i) + (seed > 8 ? 1.5 : 0)),
    );
  const x = builder.input('x', 'float32', ['batch', 4, 5, 5]);
  const up = builder.op('ConvTranspose', [x, builder.constant(vary([4, 3, 2, 2], 1), { name: 'up.weight' })], {
    group: 2,
    strides: [2, 2],
  });
  const side = builder.op('ConvTranspose', [x, builder.constant(vary([4, 6, 2, 2], 2), { name: 'side.weight' })], {
    strides: [2, 2],
  });
  const sum = builder.op('Add', [up, side]);
  const statistics = [9, 3, 4, 10].map((seed) => builder.constant(vary([6], seed)));
  builder.output('y', builder.op('BatchNormalization', [sum, ...statistics]));
  const graph = builder.build();
  const { ops, model, difference } = await folded(new Model({ name: 'g', graph, parameters: [] }));
  expect(ops).toEqual(['ConvTranspose', 'ConvTranspose', 'Add']);
  expect(difference).toBeLessThan(1e-5);
  expect([...model.graph.constants.values()].filter(({ rank }) => rank === 1)).toHaveLength(1);
});

describe('a kernel that two convolutions read', () => {
  const make = (statistics: readonly number[]): Model => {
    const shared = conv2d({ filters: 3, kernelSize: 1, useBias: false, name: 'shared' });
    const normalizers = statistics.map((index) => batchNormalization({ name: `bn${index}` }));
    const cache = new Map(statistics.map((index, at) => [index, normalizers[at] as Layer]));
    const images = ['a', 'b'].map((name) => input({ shape: [4, 4, 2], name }));
    const outputs = images.map((image, at) => (cache.get(statistics[at] as number) as Layer)(shared(image)));
    return zooModel({ inputs: images, outputs: outputs as never });
  };

  test('is copied where it is scaled in two ways', async () => {
    const { model, difference, ops } = await folded(make([1, 2]));
    expect(ops.filter((op) => ['Mul', 'Add'].includes(op))).toEqual([]);
    expect(weightsOf(model)).toEqual(['shared.kernel', 'shared.kernel_2', 'shared.bias', 'shared.bias_2']);
    expect(difference).toBeLessThan(1e-5);
  });

  test('stays one where both are scaled alike', async () => {
    const { model, difference } = await folded(make([1, 1]));
    expect(weightsOf(model)).toEqual(['shared.kernel', 'shared.bias']);
    expect(difference).toBeLessThan(1e-5);
  });
});

test('a second reader of what a convolution gives keeps it as it is', async () => {
  const image = input({ shape: [4, 4, 2], name: 'image' });
  const features = conv2d({ filters: 3, kernelSize: 1 })(image);
  const { ops, difference } = await folded(
    zooModel({ inputs: image, outputs: [features, batchNormalization()(features)] as never }),
  );
  expect(ops).toEqual(expect.arrayContaining(['Mul', 'Add']));
  expect(difference).toBeLessThan(1e-5);
});

test('normalization in the body of a loop', async () => {
  const cell = sequential({
    inputShape: [4, 4, 2],
    layers: [conv2d({ filters: 3, kernelSize: 1 }), batchNormalization()],
  });
  const builder = new GraphBuilder('steps');
  const images = builder.input('images', 'float32', [3, 'batch', 4, 4, 2]);
  const body = builder.subgraph('body', (inner) => {
    const image = inner.input('image', 'float32', ['batch', 4, 4, 2]);
    const [first] = cell.graph.inputs as readonly [Value];
    const [result] = inlineGraph(inner, cell.graph, new Map([[first, image]])) as readonly [Value];
    inner.output('result', result);
  });
  const attributes = { body, num_scan_inputs: 1, scan_input_axes: [0], scan_output_axes: [0] };
  builder.output('results', builder.node('Scan', [images], attributes, { outputs: 1 })[0] as Value);
  const model = new Model({ name: 'steps', graph: builder.build(), parameters: [] });
  expect(opsOf(model)).toContain('BatchNormalization');
  const result = foldBatchNormalization(model);
  verify(result.graph);
  expect(opsOf(result)).not.toContain('BatchNormalization');
  expect(opsOf(result)).not.toContain('Mul');
  expect(await largestDifference(backend, model, result)).toBeLessThan(1e-5);
});
