import type { Graph, Node, Value } from '../graph/graph.js';
import { subgraphsOf } from '../graph/graph.js';
import type { GraphBuilder } from '../graph/graph-builder.js';
import { definitionOf } from '../ops/registry.js';
import { evaluateNodeOn } from '../reference/evaluate.js';
import { elementCountOfShape, isConcrete, type Shape } from '../tensor/shape.js';
import { castTensor, type Tensor, tensor } from '../tensor/tensor.js';
import type { Pass } from './pass.js';
import { rebuildGraph } from './rebuild.js';

const largestGrowth = 4096;

/**
 * Computes what depends on constants only, and what shapes alone decide. Results that are much larger than what they are
 * made of (a broadcast, say) stay as they are. Meant for programs: on a model it would fold weights into each other.
 */
export const foldConstants: Pass = {
  name: 'foldConstants',
  description: 'computes at build time what depends on constants and shapes only',
  run: (graph: Graph): Graph => rebuildGraph(graph, { rewrite: foldNode }).graph,
};

function foldNode(
  node: Node,
  inputs: readonly (Value | undefined)[],
  builder: GraphBuilder,
): readonly Value[] | undefined {
  const definition = definitionOf(node);
  if (definition === undefined || definition.random || subgraphsOf(node).length > 0 || node.op === 'CounterUniform')
    return undefined;
  const fromShapes = foldShape(node, inputs);
  if (fromShapes !== undefined) return [builder.constant(fromShapes, { name: node.outputs[0]?.name ?? node.name })];
  const held = inputs.map((input) => (input === undefined ? undefined : builder.constantOf(input)));
  if (held.some((tensor, index) => tensor === undefined && inputs[index] !== undefined)) return undefined;
  const read = held.reduce((sum, tensor) => sum + (tensor?.elementCount ?? 0), 0);
  const grows = (shapes: readonly Shape[]): boolean =>
    shapes.reduce((sum, shape) => sum + knownCount(shape), 0) > read + largestGrowth;
  // The declared shapes first: what is too large should not even be computed.
  if (grows(node.outputs.map(({ shape }) => shape))) return undefined;
  const results = evaluateNodeOn(node, held);
  if (grows(results.map(({ shape }) => shape))) return undefined;
  return node.outputs.map((output, index) =>
    builder.constant(castTensor(results[index] as Tensor, output.dtype), { name: output.name }),
  );
}

function knownCount(shape: Shape): number {
  const count = elementCountOfShape(shape);
  return typeof count === 'number' ? count : 0;
}

function foldShape(node: Node, inputs: readonly (Value | undefined)[]): Tensor | undefined {
  const shape = inputs[0]?.shape;
  if (node.op === 'Positions' && shape !== undefined) return foldPositions(node, shape);
  if (node.op !== 'Shape' || shape === undefined) return undefined;
  const { start = 0, end = shape.length } = node.attributes as { start?: number; end?: number };
  const part = shape.slice(start, end);
  return isConcrete(part) ? tensor(part, { dtype: 'int64', shape: [part.length] }) : undefined;
}

function foldPositions({ attributes }: Node, shape: Shape): Tensor | undefined {
  const extent = shape.at((attributes as { readonly axis: number }).axis);
  if (typeof extent !== 'number' || extent > largestGrowth) return undefined;
  const places = Array.from({ length: extent }, (_, place) => place);
  return tensor(places, { dtype: 'int64', shape: [extent] });
}
