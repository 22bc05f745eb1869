import { expect, it } from 'vitest';
import { rebuildGraph } from '../passes/rebuild.js';
import { evaluateGraph } from '../reference/evaluate.js';
import { tensor, toNumbers } from '../tensor/tensor.js';
import { verify } from '../verify.js';
import type { Graph } from './graph.js';
import { GraphBuilder } from './graph-builder.js';

/** An `If` in an `If`: the inner one uses a value of the branch around it. */
function nestedBranches(): Graph {
  const builder = new GraphBuilder();
  const x = builder.input('x', 'float32', [2]);
  const condition = builder.input('condition', 'bool', []);
  const branch = (sign: 'Neg' | 'Identity') =>
    builder.subgraph(sign, (outer) => {
      const middle = outer.op(sign, [x]);
      const then_branch = outer.subgraph('double', (inner) => inner.output('y', inner.op('Add', [middle, middle])));
      const else_branch = outer.subgraph('square', (inner) => inner.output('y', inner.op('Mul', [middle, x])));
      outer.output('y', outer.op('If', [condition], { then_branch, else_branch }));
    });
  builder.output('y', builder.op('If', [condition], { then_branch: branch('Neg'), else_branch: branch('Identity') }));
  return builder.build();
}

it('copies subgraphs within subgraphs with what they capture on the way', () => {
  const graph = nestedBranches();
  const copy = rebuildGraph(graph).graph;
  verify(copy);
  for (const condition of [true, false]) {
    const inputs = { x: tensor([3, -1]), condition: tensor(condition) };
    const [given, wanted] = [copy, graph].map((each) => evaluateGraph(each, inputs)['y']);
    expect([...toNumbers(given ?? tensor(0))]).toEqual([...toNumbers(wanted ?? tensor(0))]);
  }
});
