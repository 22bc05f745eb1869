import { type GraphBuilder, type Model, rebuildGraph, removeDeadNodes, tensor, type Value } from '@modelwright/core';
import { withGraph } from '../../with-graph.js';

/**
 * The model with what it computes from known extents as constants: exporters write `Shape → Gather → Div → Slice` even where
 * every number is known. What channels of a given number once meant stays as it was when some go.
 */
export function foldExtents(model: Model): Model {
  const { graph } = model;
  if (!graph.nodes.some(({ op, domain }) => op === 'Shape' && domain === '')) return model;
  let builder: GraphBuilder | undefined;
  const { bindings } = rebuildGraph(graph, {
    rewrite: (_node, _inputs, own) => {
      builder = own;
      return undefined;
    },
  });
  const knownOf = (value: Value): readonly number[] | undefined => {
    const bound = bindings.get(value);
    const known = bound && value.dtype === 'int64' && value.shape.length < 2 ? builder?.known.of(bound) : undefined;
    return known?.every((extent) => typeof extent === 'number') ? (known as readonly number[]) : undefined;
  };
  const folded = rebuildGraph(graph, {
    rewrite: ({ outputs, domain }, _inputs, own) => {
      const [output] = outputs;
      const known = output && outputs.length === 1 && domain === '' ? knownOf(output) : undefined;
      if (output === undefined || known === undefined) return undefined;
      const shape = output.shape.length === 0 ? [] : [known.length];
      return [own.constant(tensor([...known], { dtype: 'int64', shape }), { name: output.name })];
    },
  }).graph;
  return withGraph(model, removeDeadNodes.run(folded));
}
