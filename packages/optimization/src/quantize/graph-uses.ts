import { type Graph, type Node, type Value, valuesReadBy } from '@modelwright/core';

/** What makes each value of a graph, and what reads it. */
export interface GraphUses {
  readonly producerOf: (value: Value) => Node | undefined;
  /** Nodes that read the value, those whose subgraphs capture it included; each once. */
  readonly readersOf: (value: Value) => readonly Node[];
  readonly isOutput: (value: Value) => boolean;
  /** The node that reads the value, where that is all that becomes of it. */
  readonly onlyReaderOf: (value: Value) => Node | undefined;
}

/** Looks through a graph once. */
export function usesOf(graph: Graph): GraphUses {
  const producers = new Map<Value, Node>();
  const readers = new Map<Value, Node[]>();
  for (const node of graph.nodes) {
    for (const output of node.outputs) producers.set(output, node);
    for (const value of new Set(valuesReadBy(node))) {
      const known = readers.get(value);
      if (known === undefined) readers.set(value, [node]);
      else known.push(node);
    }
  }
  const outputs = new Set(graph.outputs.map(({ value }) => value));
  const readersOf = (value: Value): readonly Node[] => readers.get(value) ?? [];
  return {
    producerOf: (value) => producers.get(value),
    readersOf,
    isOutput: (value) => outputs.has(value),
    onlyReaderOf: (value) => (readersOf(value).length === 1 && !outputs.has(value) ? readersOf(value)[0] : undefined),
  };
}
