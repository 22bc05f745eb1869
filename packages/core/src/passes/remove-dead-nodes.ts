import type { Graph, Node, Value } from '../graph/graph.js';
import { valuesReadBy } from '../graph/graph.js';
import { mapSubgraphs } from '../graph/inline.js';
import type { Pass } from './pass.js';
import { withScanOutputs } from './scan-outputs.js';

/** Drops nodes, constants and what scans stack up that no output depends on. Inputs stay: they are the graph's signature. */
export const removeDeadNodes: Pass = {
  name: 'removeDeadNodes',
  description: 'drops nodes and constants that no output depends on',
  run: withoutDeadNodes,
};

function withoutDeadNodes(graph: Graph): Graph {
  const live = new Set<Value>(graph.outputs.map(({ value }) => value));
  const kept: Node[] = [];
  for (const node of [...graph.nodes].reverse()) {
    if (!node.outputs.some((output) => live.has(output))) continue;
    const trimmed = withScanOutputs(node, (output) => live.has(output));
    const cleaned = { ...trimmed, attributes: mapSubgraphs(trimmed.attributes, withoutDeadNodes) };
    for (const value of valuesReadBy(cleaned)) live.add(value);
    kept.push(cleaned);
  }
  const constants = new Map([...graph.constants].filter(([value]) => live.has(value)));
  return { ...graph, nodes: kept.reverse(), constants };
}
