import { expect, test } from 'vitest';
import type { Graph } from '../graph/graph.js';
import { GraphBuilder } from '../graph/graph-builder.js';
import { evaluateGraph } from '../reference/evaluate.js';
import { fromNumbers, type Tensor, tensor, toNumbers } from '../tensor/tensor.js';
import { projectBeforeGather } from './project-before-gather.js';
import { removeDeadNodes } from './remove-dead-nodes.js';

/** `transpose(E[i])·W + b` */
function lookup(rows: number): Graph {
  const builder = new GraphBuilder('lookup');
  const table = builder.input('E', 'float64', [rows, 3]);
  const indices = builder.input('i', 'int64', [2, 4]);
  const weights = builder.input('W', 'float64', [3, 2]);
  const bias = builder.input('b', 'float64', [2]);
  const picked = builder.op('Transpose', [builder.op('Gather', [table, indices])], { perm: [1, 0, 2] });
  builder.output('y', builder.op('Add', [builder.op('MatMul', [picked, weights]), bias]));
  return builder.build();
}

const wave = (shape: readonly number[]): Tensor => {
  const count = shape.reduce((product, extent) => product * extent, 1);
  return fromNumbers(
    'float64',
    shape,
    Float64Array.from({ length: count }, (_, index) => Math.cos(index * 1.1 + count)),
  );
};

const projected = (graph: Graph): Graph => removeDeadNodes.run(projectBeforeGather.run(graph));

test('a small table is multiplied as a whole', () => {
  const graph = lookup(3);
  const rewritten = projected(graph);
  const feeds = {
    E: wave([3, 3]),
    i: tensor([0n, 1n, 2n, 1n, 2n, 0n, 0n, 1n], { dtype: 'int64', shape: [2, 4] }),
    W: wave([3, 2]),
    b: wave([2]),
  };
  expect(rewritten.nodes.map(({ op }) => op)).toEqual(['Transpose', 'MatMul', 'Add', 'Gather']);
  expect(rewritten.outputs[0]?.value.shape).toEqual([4, 2, 2]);
  const [before, after] = [graph, rewritten].map((each) => toNumbers(evaluateGraph(each, feeds)['y'] as Tensor));
  expect([...(after as Float64Array)]).toEqual([...(before as Float64Array)]);
});

test('of a large one the rows are picked first', () => {
  expect(projected(lookup(8)).nodes.map(({ op }) => op)).toEqual(['Transpose', 'Gather', 'MatMul', 'Add']);
});
