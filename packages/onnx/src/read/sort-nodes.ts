import type { GraphProto, NodeProto } from '../generated/onnx.generated.js';
import { invalidModel } from './file-context.js';

/**
 * The nodes in an order in which each stands behind those it reads. The format asks for that order, but not every
 * writer keeps it.
 *
 * @param given - Names that need no node: inputs and constants. Names that are neither given nor computed here are left
 *   to the caller (they may be captured from a graph around this one).
 * @throws {@link ModelwrightError} `invalid-model` if the nodes form a cycle.
 */
export function sortNodes(nodes: readonly NodeProto[], given: ReadonlySet<string>): readonly NodeProto[] {
  const producers = new Map<string, number>();
  nodes.forEach((node, index) => {
    for (const name of node.output) if (name !== '' && !given.has(name)) producers.set(name, index);
  });
  const reads = nodes.map((node) => readsOf(node, producers));
  if (reads.every((sources, index) => sources.every((source) => source < index))) return nodes;
  return order(nodes, reads);
}

/** Kahn's algorithm; among nodes that are ready the one that stands first in the file goes first in each round. */
function order(nodes: readonly NodeProto[], reads: readonly (readonly number[])[]): readonly NodeProto[] {
  const waiting = reads.map((sources) => sources.length);
  const readers = nodes.map((): number[] => []);
  reads.forEach((sources, index) => {
    for (const source of sources) readers[source]?.push(index);
  });
  const ready = waiting.flatMap((count, index) => (count === 0 ? [index] : []));
  for (let at = 0; at < ready.length; at++) {
    for (const reader of readers[ready[at] as number] ?? []) {
      waiting[reader] = (waiting[reader] as number) - 1;
      if (waiting[reader] === 0) ready.push(reader);
    }
  }
  if (ready.length < nodes.length) {
    const stuck = nodes[waiting.findIndex((count) => count > 0)];
    throw invalidModel(`the nodes form a cycle through '${stuck?.name || stuck?.output[0]}' (${stuck?.opType})`, {
      layer: stuck?.name ?? '',
    });
  }
  return ready.map((index) => nodes[index] as NodeProto);
}

function readsOf(node: NodeProto, producers: ReadonlyMap<string, number>): readonly number[] {
  const sources = new Set<number>();
  for (const name of namesReadBy(node)) {
    const source = producers.get(name);
    if (source !== undefined) sources.add(source);
  }
  return [...sources];
}

/** Names a node reads, those captured by its subgraphs included (and, harmlessly, some that the subgraphs define). */
export function* namesReadBy(node: NodeProto): Generator<string> {
  yield* node.input;
  for (const attribute of node.attribute) {
    if (attribute.g !== undefined) yield* namesReadByGraph(attribute.g);
    for (const graph of attribute.graphs) yield* namesReadByGraph(graph);
  }
}

function* namesReadByGraph(graph: GraphProto): Generator<string> {
  for (const node of graph.node) yield* namesReadBy(node);
  for (const { name } of graph.output) yield name;
}
