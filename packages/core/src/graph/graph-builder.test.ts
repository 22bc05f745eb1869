import { expect, test } from 'vitest';
import { evaluateGraph } from '../reference/evaluate.js';
import { tensor } from '../tensor/tensor.js';
import { GraphBuilder } from './graph-builder.js';

test('builds, infers and evaluates', () => {
  const builder = new GraphBuilder('double');
  const x = builder.input('x', 'float32', ['batch', 3]);
  builder.output('y', builder.op('Mul', [builder.op('Add', [x, x]), builder.scalar(0.5, 'float32')]));
  const graph = builder.build();
  expect(graph.outputs[0]?.value.shape).toEqual(['batch', 3]);
  expect(evaluateGraph(graph, { x: tensor([[1, 2, 3]]) })['y']).toEqual(tensor([[1, 2, 3]]));
});

test('an error names the layer, what was given and what is allowed', () => {
  const builder = new GraphBuilder();
  const a = builder.input('a', 'float32', [2, 3]);
  const b = builder.input('b', 'float32', [4]);
  expect(() => builder.scoped({ name: 'head.add', kind: 'add' }, () => builder.op('Add', [a, b]))).toThrow(
    "add 'head.add': shapes [2,3] and [4] do not broadcast together",
  );
});
