import type { Graph } from '../graph/graph.js';
import type { Shape } from '../tensor/shape.js';
import { rebuildGraph } from './rebuild.js';

export interface Specialization {
  /** Extents of symbols: `{ batch: 32 }`. */
  readonly dimensions?: { readonly [symbol: string]: number };
  /** Whole shapes of inputs, by name. */
  readonly inputs?: { readonly [name: string]: Shape };
}

/** The graph for particular shapes: symbols in the inputs are replaced and every shape behind them is inferred anew. */
export function specialize(graph: Graph, to: Specialization): Graph {
  return rebuildGraph(graph, { inputShapes: specializedInputs(graph, to) }).graph;
}

/** The input shapes that {@link specialize} gives a graph. */
export function specializedInputs(graph: Graph, to: Specialization): { readonly [name: string]: Shape } {
  const symbols = new Map(Object.entries(to.dimensions ?? {}));
  return Object.fromEntries(
    graph.inputs.map(({ name, shape }) => [
      name,
      to.inputs?.[name] ??
        shape.map((extent) => (typeof extent === 'string' ? (symbols.get(extent) ?? extent) : extent)),
    ]),
  );
}
