import { bodyInputTypes, type ScanAttributes, scanLayout } from '../ops/scan-layout.js';
import type { Dimension } from '../tensor/shape.js';
import type { Attributes, AttributeValue, Graph, Node, Value, ValueType } from './graph.js';
import { isGraph } from './graph.js';
import type { GraphBuilder } from './graph-builder.js';

/** Old values and what stands for them in the graph being built. */
export type Bindings = Map<Value, Value>;

export interface InlineOptions {
  /**
   * Called for each node with its inputs already mapped, and with what maps the values its subgraphs capture; returns the
   * values that stand for the node's outputs, or undefined to have the node copied.
   */
  readonly rewrite?: (
    node: Node,
    inputs: readonly (Value | undefined)[],
    builder: GraphBuilder,
    resolve: (value: Value) => Value,
  ) => readonly (Value | undefined)[] | undefined;
  /** Keep names of nodes and values where they are still free. Default true. */
  readonly keepNames?: boolean;
  /** Extents of symbols, for types that no rule infers anew: those of nodes that core does not define. */
  readonly dimensions?: ReadonlyMap<string, Dimension>;
}

/**
 * Copies the nodes of `graph` into `builder`; shapes are inferred anew from what the inputs are bound to.
 *
 * @param bindings - What stands for the graph's inputs (and for any constant or captured value that is replaced);
 *   filled with every value of the graph as it is copied. Constants that are not bound are copied on first use.
 * @returns the values that stand for the graph's outputs, in order.
 */
export function inlineGraph(
  builder: GraphBuilder,
  graph: Graph,
  bindings: Bindings,
  options: InlineOptions = {},
): readonly Value[] {
  const keepNames = options.keepNames ?? true;
  const resolve = (value: Value): Value => {
    const bound = bindings.get(value);
    if (bound !== undefined) return bound;
    const held = graph.constants.get(value);
    // Captured from an outer graph that is not being copied: it stands for itself.
    if (held === undefined) return value;
    const constant = builder.constant(held, keepNames ? { name: value.name } : {});
    bindings.set(value, constant);
    return constant;
  };
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((input) => (input === undefined ? undefined : resolve(input)));
    const outputs =
      options.rewrite?.(node, inputs, builder, resolve) ?? copyNode(builder, node, inputs, resolve, options);
    node.outputs.forEach((output, index) => {
      const replacement = outputs[index];
      if (replacement !== undefined) bindings.set(output, replacement);
    });
  }
  return graph.outputs.map(({ value }) => resolve(value));
}

/** Copies one node with mapped inputs; captured values of its subgraphs are mapped by `resolve`. */
export function copyNode(
  builder: GraphBuilder,
  node: Node,
  inputs: readonly (Value | undefined)[],
  resolve: (value: Value) => Value,
  options: InlineOptions = {},
): readonly Value[] {
  const inputTypes = scanBodyTypes(node, inputs);
  const attributes = mapSubgraphs(node.attributes, (graph) =>
    copySubgraph(builder, graph, { ...options, resolve, inputTypes }),
  );
  const keepNames = options.keepNames ?? true;
  const names = keepNames
    ? { nodeName: node.name, ...(node.outputs[0] === undefined ? {} : { name: node.outputs[0].name }) }
    : {};
  return builder.anyNode({ ...node, inputs, attributes }, withExtents(node.outputs, options.dimensions), names);
}

function withExtents(
  outputs: readonly ValueType[],
  dimensions: ReadonlyMap<string, Dimension> = new Map(),
): readonly ValueType[] {
  if (dimensions.size === 0) return outputs;
  const known = (extent: Dimension): Dimension =>
    (typeof extent === 'string' ? dimensions.get(extent) : extent) ?? extent;
  return outputs.map(({ dtype, shape }) => ({ dtype, shape: shape.map(known) }));
}

/** Types that a `Scan` gives its body, which may be more precise than those declared; other bodies keep their own. */
function scanBodyTypes(node: Node, inputs: readonly (Value | undefined)[]): readonly ValueType[] {
  if (node.op !== 'Scan' || node.domain !== '') return [];
  const attributes = node.attributes as unknown as ScanAttributes;
  const sequences = inputs.slice(inputs.length - attributes.num_scan_inputs) as readonly Value[];
  const layout = scanLayout(
    attributes,
    sequences.map(({ shape }) => shape.length),
  );
  return bodyInputTypes(inputs as readonly Value[], layout);
}

interface SubgraphCopy extends InlineOptions {
  readonly resolve: (value: Value) => Value;
  readonly inputTypes: readonly ValueType[];
}

function copySubgraph(builder: GraphBuilder, graph: Graph, options: SubgraphCopy): Graph {
  const { resolve, inputTypes } = options;
  return builder.subgraph(graph.name, (inner) => {
    const bindings: Bindings = new Map();
    for (const [index, input] of graph.inputs.entries()) {
      bindings.set(input, inner.input(input.name, input.dtype, (inputTypes[index] ?? input).shape));
    }
    const own = ownValues(graph);
    const lookup: Bindings = new ForwardingMap(bindings, (value) => (own.has(value) ? undefined : resolve(value)));
    const outputs = inlineGraph(inner, graph, lookup, options);
    graph.outputs.forEach(({ name }, index) => {
      inner.output(name, outputs[index] as Value);
    });
  });
}

function ownValues(graph: Graph): ReadonlySet<Value> {
  const own = new Set<Value>([...graph.inputs, ...graph.constants.keys()]);
  for (const node of graph.nodes) for (const output of node.outputs) own.add(output);
  return own;
}

/** Bindings of a subgraph that fall back to those of the graph around it. */
class ForwardingMap extends Map<Value, Value> {
  readonly #outer: (value: Value) => Value | undefined;

  constructor(own: Bindings, outer: (value: Value) => Value | undefined) {
    super(own);
    this.#outer = outer;
  }

  override get(value: Value): Value | undefined {
    return super.get(value) ?? this.#outer?.(value);
  }
}

/** Attributes with each graph replaced. */
export function mapSubgraphs(attributes: Attributes, map: (graph: Graph) => Graph): Attributes {
  const entries = Object.entries(attributes).map(([name, value]): [string, AttributeValue | undefined] => {
    if (isGraph(value)) return [name, map(value)];
    if (Array.isArray(value) && value.some(isGraph)) return [name, (value as unknown as readonly Graph[]).map(map)];
    return [name, value];
  });
  return Object.fromEntries(entries);
}
