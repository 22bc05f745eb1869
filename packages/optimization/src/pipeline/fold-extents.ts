import {
  castTensor,
  evaluateNodeOn,
  type Graph,
  type GraphBuilder,
  isForeign,
  isInteger,
  type Node,
  rebuildGraph,
  subgraphsOf,
  type Tensor,
  tensor,
  type Value,
} from '@modelwright/core';

/** Larger integers are data. */
const mostElements = 64;

/**
 * Computes the integers that a graph derives from shapes, so that what depends on them (a padding, the target of a reshape)
 * gets its shape. Weights stay as they are, quantized ones too.
 *
 * @param graph - With concrete shapes of its inputs.
 */
export function foldExtents(graph: Graph): Graph {
  return rebuildGraph(graph, { rewrite: foldNode }).graph;
}

function foldNode(
  node: Node,
  inputs: readonly (Value | undefined)[],
  builder: GraphBuilder,
): readonly Value[] | undefined {
  const [output, ...others] = node.outputs;
  if (output === undefined || others.length > 0 || isForeign(node) || subgraphsOf(node).length > 0) return undefined;
  if (!isInteger(output.dtype)) return undefined;
  const name = { name: output.name };
  if (node.op === 'Shape') {
    const shape = inputs[0]?.shape.slice(Number(node.attributes['start'] ?? 0), node.attributes['end'] as number);
    const known = shape?.every((extent) => typeof extent === 'number') ?? false;
    return known ? [builder.constant(tensor(shape as number[], { dtype: 'int64' }), name)] : undefined;
  }
  const held = inputs.map((input) => (input === undefined ? undefined : builder.constantOf(input)));
  const isSmall = held.every((each, at) =>
    each === undefined ? inputs[at] === undefined : each.elementCount <= mostElements,
  );
  if (inputs.length === 0 || !isSmall) return undefined;
  const [result] = evaluateNodeOn(node, held) as readonly [Tensor];
  return result.elementCount > mostElements ? undefined : [builder.constant(castTensor(result, output.dtype), name)];
}
