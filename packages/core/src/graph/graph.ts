import type { DType } from '../tensor/dtype.js';
import type { Shape } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';

/** Element type and shape of a value. */
export interface ValueType {
  readonly dtype: DType;
  readonly shape: Shape;
}

/** One tensor flowing through a graph, assigned once. Compared by identity; `name` is unique in its graph. */
export interface Value extends ValueType {
  readonly name: string;
}

export type AttributeKind =
  | 'int'
  | 'float'
  | 'string'
  | 'tensor'
  | 'graph'
  | 'ints'
  | 'floats'
  | 'strings'
  | 'tensors'
  | 'graphs';

/** What ONNX can store in an attribute. Integers beyond 2⁵³ are not representable and refused by the reader. */
export type AttributeValue =
  | number
  | string
  | Tensor
  | Graph
  | readonly number[]
  | readonly string[]
  | readonly Tensor[]
  | readonly Graph[];

export type Attributes = { readonly [name: string]: AttributeValue | undefined };

/**
 * One application of an operator. `domain` is `''` for ONNX, {@link modelwrightDomain} for our own ops; a node of any
 * other domain or of a name core does not define is *foreign*: kept, named in reports, and run only by a backend that knows it.
 */
export interface Node {
  readonly op: string;
  readonly domain: string;
  /** `layer.path/Op`, unique in its graph. */
  readonly name: string;
  /** `undefined` stands for an optional input that is left out. */
  readonly inputs: readonly (Value | undefined)[];
  readonly outputs: readonly Value[];
  readonly attributes: Attributes;
  /** Kinds of a foreign node's attributes; core's own ops declare them. */
  readonly attributeKinds?: { readonly [name: string]: AttributeKind };
}

/** A result of a graph: the value and the name callers see. */
export interface GraphOutput {
  readonly name: string;
  readonly value: Value;
}

/**
 * A pure dataflow program in SSA form. Immutable; passes make new graphs. Nodes stand in topological order. A graph that
 * is an attribute of a node may use (capture) values of the graphs around it.
 */
export interface Graph {
  readonly name: string;
  readonly inputs: readonly Value[];
  readonly outputs: readonly GraphOutput[];
  readonly nodes: readonly Node[];
  /** Values known when the graph is built: weights and literals. */
  readonly constants: ReadonlyMap<Value, Tensor>;
}

/** Domain of the ops that ONNX lacks. */
export const modelwrightDomain = 'ai.modelwright';

/** Whether an attribute value is a graph. */
export function isGraph(value: unknown): value is Graph {
  return typeof value === 'object' && value !== null && 'nodes' in value && 'constants' in value;
}

/** The graphs among a node's attributes, with the attribute's name. */
export function subgraphsOf(node: Node): readonly { readonly attribute: string; readonly graph: Graph }[] {
  const found: { attribute: string; graph: Graph }[] = [];
  for (const [attribute, value] of Object.entries(node.attributes)) {
    if (isGraph(value)) found.push({ attribute, graph: value });
    else if (Array.isArray(value)) for (const item of value) if (isGraph(item)) found.push({ attribute, graph: item });
  }
  return found;
}

/** The outer values that `graph` (a subgraph) uses, deeper subgraphs included. */
export function capturesOf(graph: Graph): ReadonlySet<Value> {
  const own = new Set<Value>([...graph.inputs, ...graph.constants.keys()]);
  const captured = new Set<Value>();
  const use = (value: Value | undefined): void => {
    if (value !== undefined && !own.has(value)) captured.add(value);
  };
  for (const node of graph.nodes) {
    node.inputs.forEach(use);
    for (const { graph: inner } of subgraphsOf(node)) capturesOf(inner).forEach(use);
    for (const output of node.outputs) own.add(output);
  }
  for (const { value } of graph.outputs) use(value);
  return captured;
}

/** All values that `node` reads, those captured by its subgraphs included. */
export function valuesReadBy(node: Node): readonly Value[] {
  const read = node.inputs.filter((value): value is Value => value !== undefined);
  for (const { graph } of subgraphsOf(node)) read.push(...capturesOf(graph));
  return read;
}
