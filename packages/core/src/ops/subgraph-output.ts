import type { Value } from '../graph/graph.js';
import type { GraphBuilder } from '../graph/graph-builder.js';

/**
 * Makes `value` an output of a subgraph. Runtimes want such outputs computed inside and each of them once, so constants,
 * inputs, captured values and a second use go through an `Identity`.
 */
export function outputOf(inner: GraphBuilder, name: string, value: Value): void {
  const { nodes, outputs } = inner.build();
  const own = nodes.some((node) => node.outputs.includes(value)) && !outputs.some((output) => output.value === value);
  inner.output(name, own ? value : inner.op('Identity', [value]));
}
