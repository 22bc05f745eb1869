import type { Graph } from '../graph/graph.js';
import { GraphBuilder } from '../graph/graph-builder.js';
import { type Bindings, type InlineOptions, inlineGraph } from '../graph/inline.js';
import type { Dimension, Shape } from '../tensor/shape.js';

export interface RebuildOptions extends InlineOptions {
  /** New shapes of inputs, by name. */
  readonly inputShapes?: { readonly [name: string]: Shape };
}

/** A graph made anew node by node, and what became of each value of the old one. */
export interface Rebuilt {
  readonly graph: Graph;
  readonly bindings: Bindings;
}

/** Makes a graph anew through the builder, so that shapes are inferred again and `rewrite` may replace nodes. */
export function rebuildGraph(graph: Graph, options: RebuildOptions = {}): Rebuilt {
  const builder = new GraphBuilder(graph.name);
  const bindings: Bindings = new Map();
  for (const input of graph.inputs) {
    bindings.set(input, builder.input(input.name, input.dtype, options.inputShapes?.[input.name] ?? input.shape));
  }
  const dimensions = options.dimensions ?? boundSymbols(graph, options.inputShapes ?? {});
  const outputs = inlineGraph(builder, graph, bindings, { ...options, dimensions });
  graph.outputs.forEach(({ name }, index) => {
    const value = outputs[index];
    if (value !== undefined) builder.output(name, value);
  });
  return { graph: builder.build(), bindings };
}

/** What the new shapes of inputs say of symbols in the old ones. */
function boundSymbols(graph: Graph, shapes: { readonly [name: string]: Shape }): ReadonlyMap<string, Dimension> {
  const pairs = graph.inputs.flatMap(({ name, shape }) =>
    shape.flatMap((extent, axis): [string, Dimension][] => {
      const given = shapes[name]?.[axis];
      return typeof extent === 'string' && given !== undefined ? [[extent, given]] : [];
    }),
  );
  return new Map(pairs);
}
