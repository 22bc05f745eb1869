import type { Graph } from '../graph/graph.js';
import { verify } from '../verify.js';

/** A pure graph rewrite: same inputs, outputs and meaning, another form. */
export interface Pass {
  readonly name: string;
  readonly description: string;
  run(graph: Graph): Graph;
}

/** Runs passes in order; with `debug`, verifies the graph after each one. */
export function runPasses(graph: Graph, passes: readonly Pass[], options: { readonly debug?: boolean } = {}): Graph {
  let current = graph;
  for (const pass of passes) {
    current = pass.run(current);
    if (options.debug) verify(current, `after pass '${pass.name}'`);
  }
  return current;
}
