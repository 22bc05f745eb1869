import { type Graph, isForeign, type Node, subgraphsOf } from '@modelwright/core';

/** Nodes of one operator that Modelwright does not define. */
export interface ForeignNodes {
  /** `domain:op`; ONNX's own domain is `ai.onnx`. */
  readonly op: string;
  readonly nodes: readonly string[];
}

/**
 * The nodes of a graph, subgraphs included, whose operator Modelwright does not define. They are kept and written back
 * unchanged; only a backend that knows the operator can run them.
 */
export function foreignNodesOf(graph: Graph): readonly ForeignNodes[] {
  const byOp = new Map<string, string[]>();
  for (const node of allNodes(graph)) {
    if (!isForeign(node)) continue;
    const op = `${node.domain || 'ai.onnx'}:${node.op}`;
    byOp.set(op, [...(byOp.get(op) ?? []), node.name]);
  }
  return [...byOp].map(([op, nodes]) => ({ op, nodes }));
}

/** The nodes of a graph and of all graphs within. */
export function* allNodes(graph: Graph): Generator<Node> {
  for (const node of graph.nodes) {
    yield node;
    for (const { graph: inner } of subgraphsOf(node)) yield* allNodes(inner);
  }
}
