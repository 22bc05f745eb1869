import { dtypeFacts, type Graph, isForeign, type Model, type Node, subgraphsOf, type Tensor } from '@modelwright/core';

/** How often an op occurs. */
export interface OpCount {
  readonly op: string;
  readonly domain: string;
  readonly count: number;
  /** False for an op that Modelwright keeps but does not know. */
  readonly known: boolean;
}

/** A value as `inspect` reports it. */
export interface TypeDescription {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly (number | string)[];
}

/** What a model is made of, as data. */
export interface ModelDescription {
  readonly name: string;
  readonly inputs: readonly TypeDescription[];
  readonly outputs: readonly TypeDescription[];
  readonly nodeCount: number;
  readonly ops: readonly OpCount[];
  readonly parameterCount: number;
  readonly parameterBytes: number;
  /** Elements of parameters by dtype. */
  readonly parametersByDtype: { readonly [dtype: string]: number };
}

/**
 * Describes a model. Parameters are its constants of a floating dtype or of more than one axis; literals that only steer
 * the graph (shapes, axes, pads) do not count.
 */
export function describeModel(model: Model): ModelDescription {
  const { graph } = model;
  const nodes = allNodes(graph);
  const parameters = parametersOf(graph).map(({ tensor }) => tensor);
  const byDtype: Record<string, number> = {};
  for (const { dtype, elementCount } of parameters) byDtype[dtype] = (byDtype[dtype] ?? 0) + elementCount;
  return {
    name: model.name,
    inputs: graph.inputs.map(({ name, dtype, shape }) => ({ name, dtype, shape })),
    outputs: graph.outputs.map(({ name, value: { dtype, shape } }) => ({ name, dtype, shape })),
    nodeCount: nodes.length,
    ops: countOps(nodes),
    parameterCount: parameters.reduce((sum, { elementCount }) => sum + elementCount, 0),
    parameterBytes: parameters.reduce((sum, tensor) => sum + sizeBytesOf(tensor), 0),
    parametersByDtype: byDtype,
  };
}

/** The constants of a graph that hold what was learned, in their order. */
export function parametersOf(graph: Graph): readonly { readonly name: string; readonly tensor: Tensor }[] {
  const own = [...graph.constants].flatMap(([value, tensor]) =>
    isParameter(tensor) ? [{ name: value.name, tensor }] : [],
  );
  const inner = graph.nodes.flatMap((node) => subgraphsOf(node).flatMap(({ graph: each }) => parametersOf(each)));
  return [...own, ...inner];
}

/** Every node, those of subgraphs after the node that holds them. */
export function allNodes(graph: Graph): readonly Node[] {
  return graph.nodes.flatMap((node) => [node, ...subgraphsOf(node).flatMap(({ graph: inner }) => allNodes(inner))]);
}

/** Bytes that a tensor takes in a file. */
export function sizeBytesOf({ dtype, data, elementCount }: Tensor): number {
  if (dtype === 'string') return (data as string[]).reduce((sum, text) => sum + text.length, 0);
  return Math.ceil((elementCount * dtypeFacts[dtype].bits) / 8);
}

function isParameter({ dtype, rank, elementCount }: Tensor): boolean {
  if (dtype === 'string') return false;
  return dtypeFacts[dtype].kind === 'float' ? rank > 0 || elementCount > 1 : rank > 1;
}

function countOps(nodes: readonly Node[]): readonly OpCount[] {
  const counts = new Map<string, OpCount>();
  for (const node of nodes) {
    const key = `${node.domain}:${node.op}`;
    const count = (counts.get(key)?.count ?? 0) + 1;
    counts.set(key, { op: node.op, domain: node.domain, count, known: !isForeign(node) });
  }
  return [...counts.values()].sort((a, b) => b.count - a.count || (a.op < b.op ? -1 : 1));
}
