import {
  type Bindings,
  copyNode,
  type Graph,
  GraphBuilder,
  inlineGraph,
  type Node,
  type Value,
} from '@modelwright/core';

/** A graph made for looking inside; values are referred to by their place in the list given. */
export interface ProbeGraph {
  readonly graph: Graph;
  /** Name of the graph's output that gives the value, by place. */
  readonly outputs: readonly string[];
  /** Name of the graph's input that replaces or shifts the value, by place. */
  readonly inputs: readonly string[];
}

const outputName = (at: number): string => `probe.${at}`;
const inputName = (at: number): string => `given.${at}`;

/** The graph with some of its values as its only outputs. */
export function exposeValues(graph: Graph, values: readonly Value[]): ProbeGraph {
  return rebuilt(graph, { values, change: ({ computed }) => computed, keepsOutputs: false });
}

/**
 * The graph cut at some of its values: each is computed and given out, and whoever reads it reads an input instead. So
 * every piece shows what it does by itself.
 */
export function cutAtValues(graph: Graph, values: readonly Value[]): ProbeGraph {
  return rebuilt(graph, {
    values,
    keepsOutputs: false,
    change: ({ builder, computed, at }) => builder.input(inputName(at), computed.dtype, computed.shape),
  });
}

/** The graph with something added to some of its values; its outputs stay. */
export function shiftValues(graph: Graph, values: readonly Value[]): ProbeGraph {
  return rebuilt(graph, {
    values,
    keepsOutputs: true,
    change: ({ builder, computed, at }) =>
      builder.op('Add', [computed, builder.input(inputName(at), computed.dtype, computed.shape)]),
  });
}

interface Probe {
  readonly values: readonly Value[];
  readonly keepsOutputs: boolean;
  /** What those who read the value read instead. */
  change(context: { readonly builder: GraphBuilder; readonly computed: Value; readonly at: number }): Value;
}

function rebuilt(graph: Graph, { values, keepsOutputs, change }: Probe): ProbeGraph {
  const builder = new GraphBuilder(graph.name);
  const places = new Map(values.map((value, at) => [value, at]));
  const computed = new Map<number, Value>();
  const bindings: Bindings = new Map();
  for (const input of graph.inputs) bindings.set(input, builder.input(input.name, input.dtype, input.shape));
  const rewrite = (
    node: Node,
    inputs: readonly (Value | undefined)[],
    _builder: GraphBuilder,
    resolve: (value: Value) => Value,
  ): readonly Value[] | undefined => {
    if (!node.outputs.some((output) => places.has(output))) return undefined;
    return copyNode(builder, node, inputs, resolve).map((output, index) => {
      const at = places.get(node.outputs[index] as Value);
      if (at === undefined) return output;
      computed.set(at, output);
      return change({ builder, computed: output, at });
    });
  };
  const results = inlineGraph(builder, graph, bindings, { rewrite });
  if (keepsOutputs) for (const [at, { name }] of graph.outputs.entries()) builder.output(name, results[at] as Value);
  else for (const [at, value] of computed) builder.output(outputName(at), value);
  return {
    graph: builder.build(),
    outputs: values.map((_, at) => outputName(at)),
    inputs: values.map((_, at) => inputName(at)),
  };
}
