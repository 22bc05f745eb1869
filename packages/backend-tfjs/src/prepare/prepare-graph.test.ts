import { backpropagate, type Graph, GraphBuilder, type Value, zeros } from '@modelwright/core';
import { expect, test } from 'vitest';
import { kernelDomain } from '../lowering/lowering.js';
import { prepareGraph } from './prepare-graph.js';

const count = (graph: Graph, op: string): number => graph.nodes.filter((node) => node.op === op).length;

/** Two convolutions with batch normalization, residual addition and pools between, channels first as ONNX has it. */
function network(builder: GraphBuilder, x: Value, kernels: readonly [Value, Value]): Value {
  const conv = (input: Value, kernel: Value): Value => builder.op('Conv', [input, kernel], { pads: [1, 1, 1, 1] });
  const statistic = builder.constant(zeros('float32', [4]));
  const first = builder.op('Relu', [conv(x, kernels[0])]);
  const normal = builder.op('BatchNormalization', [first, statistic, statistic, statistic, statistic], {});
  const sum = builder.op('Add', [normal, first]);
  const pooled = builder.op('MaxPool', [sum], { kernel_shape: [2, 2], strides: [2, 2] });
  const second = conv(pooled, kernels[1]);
  return builder.op('ReduceMean', [builder.op('Sigmoid', [second]), builder.integers([2, 3])], { keepdims: 0 });
}

test('images stay channels-last between convolutions', () => {
  const builder = new GraphBuilder('images');
  const x = builder.input('x', 'float32', ['batch', 3, 8, 8]);
  const kernels = [
    builder.constant(zeros('float32', [4, 3, 3, 3])),
    builder.constant(zeros('float32', [5, 4, 3, 3])),
  ] as const;
  builder.output('y', network(builder, x, kernels));
  const prepared = prepareGraph(builder.build());
  // The input comes in; filters are constants and were turned beforehand; means over places need no turn.
  expect(count(prepared, 'Transpose')).toBe(1);
  expect(prepared.nodes.filter(({ domain }) => domain === kernelDomain).map(({ op }) => op)).toEqual([
    'Conv2d',
    'MaxPool2d',
    'Conv2d',
  ]);
  // The first ReLU went into its convolution.
  expect(count(prepared, 'Relu')).toBe(0);
});

test('so do their gradients', () => {
  const builder = new GraphBuilder('gradients');
  const x = builder.input('x', 'float32', [2, 3, 8, 8]);
  const kernels = [builder.input('w0', 'float32', [4, 3, 3, 3]), builder.input('w1', 'float32', [5, 4, 3, 3])] as const;
  const y = network(builder, x, kernels);
  const gradients = backpropagate(builder, [{ value: y, gradient: builder.input('dy', 'float32', [2, 5]) }], kernels);
  gradients.forEach((gradient, index) => {
    builder.output(`dw${index}`, gradient as Value);
  });
  const prepared = prepareGraph(builder.build());
  const turned = prepared.nodes.filter(({ op }) => op === 'Transpose');
  const wide = turned.filter(({ inputs }) => (inputs[0]?.shape ?? []).every((extent) => extent !== 3 && extent !== 5));
  // Of activations only those that a filter's gradient reads with batch and channels swapped, and the filter it makes of dy.
  expect(wide.length).toBeLessThanOrEqual(3);
  expect(count(prepared, 'Conv2d')).toBe(5);
});

test('a bias and a ReLU go into the product', () => {
  const builder = new GraphBuilder('dense');
  const x = builder.input('x', 'float32', ['batch', 4]);
  const w = builder.input('w', 'float32', [3, 4]);
  const b = builder.input('b', 'float32', [3]);
  builder.output('y', builder.op('Relu', [builder.op('Gemm', [x, w, b], { transB: 1 })]));
  expect(prepareGraph(builder.build()).nodes.map(({ op }) => op)).toEqual(['Transpose', 'FusedMatMul']);
});

test('weights in 4-bit blocks become plain weights', () => {
  const builder = new GraphBuilder('blocks');
  const x = builder.input('x', 'float32', ['batch', 32]);
  const [codes, scales] = [zeros('uint8', [3, 1, 16]), zeros('float32', [3, 1])].map((each) => builder.constant(each));
  const [y] = builder.foreign({
    op: 'MatMulNBits',
    domain: 'com.microsoft',
    inputs: [x, codes, scales],
    attributes: { K: 32, N: 3, bits: 4, block_size: 32 },
    outputs: [{ dtype: 'float32', shape: ['batch', 3] }],
  });
  builder.output('y', y as Value);
  const { nodes, constants } = prepareGraph(builder.build());
  expect(nodes.map(({ op }) => op)).toEqual(['MatMul']);
  expect([...constants.values()].map(({ dtype, shape }) => [dtype, ...shape])).toEqual([['float32', 32, 3]]);
});
