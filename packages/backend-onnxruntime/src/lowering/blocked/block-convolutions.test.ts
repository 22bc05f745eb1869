import { GraphBuilder, tensor, type Value, zeros } from '@modelwright/core';
import { expect, test } from 'vitest';
import { blockConvolutions, hasCarriedWeights } from './block-convolutions.js';

/** A convolution with a weight that is made of `given`, 16 channels in and out. */
function graphWith(weightOf: (builder: GraphBuilder) => Value) {
  const builder = new GraphBuilder('net');
  const x = builder.input('x', 'float32', [16, 16, 20, 20]);
  builder.output('y', builder.op('Conv', [x, weightOf(builder)]));
  return builder.build();
}

const quantized = (builder: GraphBuilder): Value =>
  builder.op('DequantizeLinear', [builder.constant(zeros('int8', [16, 16, 3, 3])), builder.constant(tensor(0.1))]);
const carried = (builder: GraphBuilder): Value =>
  builder.op('Mul', [builder.input('weight', 'float32', [16, 16, 3, 3]), builder.scalar(2, 'float32')]);

test('weights that the runtime knows are left to it, quantized ones included', () => {
  for (const weight of [quantized, (builder: GraphBuilder) => builder.constant(zeros('float32', [16, 16, 3, 3]))]) {
    const graph = graphWith(weight);
    expect(hasCarriedWeights(graph)).toBe(false);
    const ops = blockConvolutions(graph, 8).nodes.map(({ op }) => op);
    expect(ops).toEqual(graph.nodes.map(({ op }) => op));
  }
});

test('weights that change take the blocked layout', () => {
  const graph = graphWith(carried);
  expect(hasCarriedWeights(graph)).toBe(true);
  const ops = blockConvolutions(graph, 8).nodes.map(({ op }) => op);
  expect(ops).toEqual(expect.arrayContaining(['Conv', 'ReorderOutput']));
});
