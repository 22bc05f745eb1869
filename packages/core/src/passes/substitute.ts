import type { Graph, Node, Value } from '../graph/graph.js';
import { mapSubgraphs } from '../graph/inline.js';

/** The graph with uses of some values replaced by others of the same type; definitions stay. Identity is preserved elsewhere. */
export function substituteValues(graph: Graph, replacements: ReadonlyMap<Value, Value>): Graph {
  const final = (value: Value): Value => {
    let current = value;
    for (let next = replacements.get(current); next !== undefined; next = replacements.get(current)) current = next;
    return current;
  };
  const rewrite = (node: Node): Node => ({
    ...node,
    inputs: node.inputs.map((input) => (input === undefined ? undefined : final(input))),
    attributes: mapSubgraphs(node.attributes, (inner) => substituteValues(inner, replacements)),
  });
  return {
    ...graph,
    nodes: graph.nodes.map(rewrite),
    outputs: graph.outputs.map(({ name, value }) => ({ name, value: final(value) })),
  };
}
