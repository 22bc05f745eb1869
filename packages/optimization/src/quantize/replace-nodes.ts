import { type Graph, GraphBuilder, inlineGraph, type Node, removeDeadNodes, type Value } from '@modelwright/core';

/** Makes new nodes in place of one: given its mapped inputs, it returns what stands for its outputs, or undefined to keep it. */
export type NodeWriter = (
  node: Node,
  inputs: readonly (Value | undefined)[],
  builder: GraphBuilder,
) => readonly (Value | undefined)[] | undefined;

/**
 * The graph with nodes replaced.
 *
 * @param replaced - Constants that no node of the new graph reads: their names are free for what takes their place.
 */
export function replaceNodes(
  graph: Graph,
  replaced: Iterable<Value>,
  write: (builder: GraphBuilder) => NodeWriter,
): Graph {
  const builder = new GraphBuilder(graph.name);
  const bindings = new Map<Value, Value>();
  for (const input of graph.inputs) bindings.set(input, builder.input(input.name, input.dtype, input.shape));
  for (const value of replaced) bindings.set(value, value);
  const writer = write(builder);
  const outputs = inlineGraph(builder, graph, bindings, { rewrite: writer });
  for (const [index, { name }] of graph.outputs.entries()) builder.output(name, outputs[index] as Value);
  return removeDeadNodes.run(builder.build());
}
