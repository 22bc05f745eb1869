import {
  capturesOf,
  copyNode,
  type Graph,
  type GraphBuilder,
  inlineGraph,
  isInteger,
  type Node,
  type Pass,
  rebuildGraph,
  tensor,
  toNumbers,
  type Value,
} from '@modelwright/core';
import { reshapeVector } from './merge-views.js';

/**
 * Puts constants in the place of integers that shapes alone decide, though other axes are symbolic, and lets `Reshape` read its
 * target from a constant where at most one axis of it is open. Shapes of all values are inferred anew.
 */
export const foldKnownShapes: Pass = {
  name: 'foldKnownShapes',
  description: 'computes at build time what known axes decide',
  run: (graph: Graph): Graph => rebuildGraph(graph, { rewrite }).graph,
};

function rewrite(
  node: Node,
  inputs: readonly (Value | undefined)[],
  builder: GraphBuilder,
  resolve: (value: Value) => Value,
): readonly Value[] | undefined {
  if (node.domain !== '') return undefined;
  if (node.op === 'If') return knownBranch(node, inputs, builder, resolve);
  if (node.op === 'Reshape') return constantReshape(node, inputs, builder);
  const [output] = node.outputs;
  if (output === undefined || node.outputs.length > 1 || output.shape.length > 1 || !isInteger(output.dtype))
    return undefined;
  const [made] = copyNode(builder, node, inputs, resolve) as readonly [Value];
  const known = builder.known.of(made);
  if (known === undefined || !known.every((element) => typeof element === 'number')) return [made];
  return [
    builder.constant(
      tensor(made.shape.length === 0 ? (known[0] as number) : [...known], {
        dtype: made.dtype,
        shape: made.shape.length === 0 ? [] : [known.length],
      }),
      { name: `${made.name}/known` },
    ),
  ];
}

function constantReshape(
  node: Node,
  inputs: readonly (Value | undefined)[],
  builder: GraphBuilder,
): readonly Value[] | undefined {
  const [data, shape] = inputs as readonly [Value, Value];
  if (builder.constantOf(shape) !== undefined) return undefined;
  const [made] = builder.anyNode({ ...node, inputs }, node.outputs) as readonly [Value];
  const vector = reshapeVector(data.shape, made.shape);
  if (vector === undefined) return [made];
  const name = node.outputs[0]?.name;
  return [
    builder.op(
      'Reshape',
      [data, builder.integers(vector)],
      {},
      { nodeName: node.name, ...(name === undefined ? {} : { name }) },
    ),
  ];
}

/** The nodes of the branch that a condition which is known takes. */
function knownBranch(
  node: Node,
  inputs: readonly (Value | undefined)[],
  builder: GraphBuilder,
  resolve: (value: Value) => Value,
): readonly Value[] | undefined {
  const condition = inputs[0] as Value;
  const held = builder.constantOf(condition);
  const holds = held === undefined ? builder.known.of(condition)?.[0] : toNumbers(held)[0];
  if (typeof holds !== 'number') return undefined;
  const branch = node.attributes[holds === 0 ? 'else_branch' : 'then_branch'] as Graph;
  const bindings = new Map([...capturesOf(branch)].map((value) => [value, resolve(value)]));
  return inlineGraph(builder, branch, bindings, { rewrite });
}
