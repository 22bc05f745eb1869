import { expect, test } from 'vitest';
import type { Graph, Node, Value } from '../graph/graph.js';
import { GraphBuilder } from '../graph/graph-builder.js';
import { evaluateGraph } from '../reference/evaluate.js';
import { fromNumbers, type Tensor, toNumbers } from '../tensor/tensor.js';
import { hoistFromScans } from './hoist-from-scans.js';

/** `h′ = tanh(relu(x·U) + h·Vᵀ)`, with all of it in the body. */
function cellGraph(time: number | string, directions: readonly number[] = [0]): Graph {
  const builder = new GraphBuilder('cell');
  const x = builder.input('x', 'float64', [time, 2, 3]);
  const h = builder.input('h', 'float64', [2, 4]);
  const [u, v] = [builder.input('u', 'float64', [3, 4]), builder.input('v', 'float64', [4, 4])];
  const body = builder.subgraph('step', (inner) => {
    const state = inner.input('state', 'float64', [2, 4]);
    const now = inner.input('now', 'float64', [2, 3]);
    const fed = inner.op('Relu', [inner.op('MatMul', [now, u])]);
    const turned = inner.op('Transpose', [v], { perm: [1, 0] });
    const next = inner.op('Tanh', [inner.op('Add', [fed, inner.op('MatMul', [state, turned])])]);
    inner.output('next', next);
    inner.output('each', inner.op('Identity', [next]));
  });
  const attributes = { body, num_scan_inputs: 1, scan_input_directions: directions };
  const [last, all] = builder.node('Scan', [h, x], attributes, { outputs: 2 });
  builder.output('last', last as Value);
  builder.output('all', all as Value);
  return builder.build();
}

const wave = (shape: readonly number[]): Tensor => {
  const count = shape.reduce((product, extent) => product * extent, 1);
  return fromNumbers(
    'float64',
    shape,
    Float64Array.from({ length: count }, (_, index) => Math.sin(index * 1.3 + count)),
  );
};
const feeds = { x: wave([5, 2, 3]), h: wave([2, 4]), u: wave([3, 4]), v: wave([4, 4]) };

function bodyOps(graph: Graph): readonly string[] {
  const scan = graph.nodes.find(({ op }) => op === 'Scan') as Node;
  return (scan.attributes['body'] as Graph).nodes.map(({ op }) => op);
}

test.each([[0], [1]])('only what reads the state stays in the body, direction %i', (direction) => {
  const graph = cellGraph(5, [direction]);
  const hoisted = hoistFromScans.run(graph);
  expect(bodyOps(hoisted)).toEqual(['MatMul', 'Add', 'Tanh', 'Identity']);
  // The sequence itself is not stepped along any more.
  expect((hoisted.nodes.find(({ op }) => op === 'Scan') as Node).inputs).toHaveLength(2);
  const [before, after] = [evaluateGraph(graph, feeds), evaluateGraph(hoisted, feeds)];
  for (const name of ['last', 'all']) {
    expect([...toNumbers(after[name] as Tensor)]).toEqual([...toNumbers(before[name] as Tensor)]);
  }
});

test('with an open number of steps what is the same at each of them leaves the body', () => {
  const hoisted = hoistFromScans.run(cellGraph('time'));
  expect(bodyOps(hoisted)).toEqual(['MatMul', 'Relu', 'MatMul', 'Add', 'Tanh', 'Identity']);
});

test('a body with nothing to take out stays as it is', () => {
  const once = hoistFromScans.run(cellGraph(5));
  expect(hoistFromScans.run(once)).toBe(once);
});
