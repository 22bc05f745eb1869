import { ModelwrightError } from '../errors.js';
import type { Graph, Node, Value } from '../graph/graph.js';
import type { GraphBuilder } from '../graph/graph-builder.js';
import type { DecomposeContext } from '../ops/definition.js';
import { definitionOf } from '../ops/registry.js';
import { expandBlockQuantized } from './block-quantized.js';
import type { Pass } from './pass.js';
import { rebuildGraph } from './rebuild.js';

const deepestNesting = 8;

/**
 * A pass that replaces the nodes `selects` picks by simpler ops, again and again until none is left or an op has no
 * simpler form.
 */
export function decompose(selects: (node: Node) => boolean): Pass {
  return {
    name: 'decompose',
    description: 'replaces composite ops by simpler ones',
    run(graph: Graph): Graph {
      let current = graph;
      for (let depth = 0; depth < deepestNesting; depth++) {
        let changed = false;
        const rewrite = (
          node: Node,
          inputs: readonly (Value | undefined)[],
          builder: GraphBuilder,
        ): readonly Value[] | undefined => {
          const replacement = selects(node) ? decomposeNode(node, inputs, builder) : undefined;
          if (replacement !== undefined) changed = true;
          return replacement;
        };
        const next = rebuildGraph(current, { rewrite }).graph;
        if (!changed) return current;
        current = next;
      }
      return current;
    },
  };
}

/** The outputs of `node` computed by simpler ops in `builder`; undefined when it has no such form. */
export function decomposeNode(
  node: Node,
  inputs: readonly (Value | undefined)[],
  builder: GraphBuilder,
): readonly Value[] | undefined {
  const definition = definitionOf(node);
  if (definition === undefined) return expandBlockQuantized(node, inputs, builder);
  if (definition.decompose === undefined) return undefined;
  const context = decomposeContext(node, inputs, builder);
  return builder.scoped({ name: node.name }, () => definition.decompose?.(context));
}

/** What a rule that rebuilds `node` from simpler ops sees, with inputs that are mapped already. */
export function decomposeContext(
  node: Node,
  inputs: readonly (Value | undefined)[],
  builder: GraphBuilder,
): DecomposeContext<object> {
  return {
    builder,
    inputs,
    outputs: node.outputs,
    attributes: node.attributes,
    outputCount: node.outputs.length,
    input(index: number): Value {
      const value = inputs[index];
      if (value !== undefined) return value;
      throw new ModelwrightError('invalid-graph', `${node.op} '${node.name}' lacks input ${index}`, {
        op: node.op,
        layer: node.name,
      });
    },
  };
}
