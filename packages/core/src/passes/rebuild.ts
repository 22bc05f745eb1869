import type { Graph } from '../graph/graph.js';
import { GraphBuilder } from '../graph/graph-builder.js';
import { type Bindings, type InlineOptions, inlineGraph } from '../graph/inline.js';
import type { Shape } from '../tensor/shape.js';

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
  const outputs = inlineGraph(builder, graph, bindings, options);
  graph.outputs.forEach(({ name }, index) => {
    const value = outputs[index];
    if (value !== undefined) builder.output(name, value);
  });
  return { graph: builder.build(), bindings };
}
