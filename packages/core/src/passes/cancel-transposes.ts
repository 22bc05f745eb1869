import type { Graph, Node, Value } from '../graph/graph.js';
import type { GraphBuilder } from '../graph/graph-builder.js';
import { definitionOf } from '../ops/registry.js';
import { isUnknownShape } from '../tensor/shape.js';
import type { Pass } from './pass.js';
import { rebuildGraph } from './rebuild.js';
import { removeDeadNodes } from './remove-dead-nodes.js';

interface Transposed {
  readonly source: Value;
  readonly perm: readonly number[];
}

/**
 * Removes transposes that undo each other. A transpose slides down through elementwise ops and concatenations until it
 * meets its inverse: so the layout changes of neighbouring channels-last layers vanish.
 */
export const cancelTransposes: Pass = {
  name: 'cancelTransposes',
  description: 'slides transposes down and removes pairs that undo each other',
  run(graph: Graph): Graph {
    const transposed = new Map<Value, Transposed>();
    const rewrite = (
      node: Node,
      inputs: readonly (Value | undefined)[],
      builder: GraphBuilder,
    ): readonly Value[] | undefined => {
      // Where a rank depends on what is computed, axes cannot be followed.
      if (inputs.some((input) => input !== undefined && isUnknownShape(input.shape))) return undefined;
      if (node.domain === '' && node.op === 'Transpose')
        return [composeTranspose({ node, input: inputs[0] as Value, builder, transposed })];
      return slideDown({ node, inputs, builder, transposed });
    };
    return removeDeadNodes.run(rebuildGraph(graph, { rewrite }).graph);
  },
};

interface ComposeRequest {
  readonly node: Node;
  readonly input: Value;
  readonly builder: GraphBuilder;
  readonly transposed: Map<Value, Transposed>;
}

function composeTranspose({ node, input, builder, transposed }: ComposeRequest): Value {
  const outer =
    (node.attributes as { perm?: readonly number[] }).perm ??
    input.shape.map((_, axis) => input.shape.length - 1 - axis);
  const inner = transposed.get(input);
  const perm = inner === undefined ? outer : outer.map((axis) => inner.perm[axis] as number);
  return transpose({ builder, transposed, perm, source: inner?.source ?? input });
}

function transpose(request: {
  builder: GraphBuilder;
  transposed: Map<Value, Transposed>;
  perm: readonly number[];
  source: Value;
}): Value {
  const { builder, transposed, perm, source } = request;
  if (perm.every((axis, index) => axis === index)) return source;
  const value = builder.op('Transpose', [source], { perm });
  transposed.set(value, { source, perm });
  return value;
}

interface SlideRequest {
  readonly node: Node;
  readonly inputs: readonly (Value | undefined)[];
  readonly builder: GraphBuilder;
  readonly transposed: Map<Value, Transposed>;
}

function slideDown(request: SlideRequest): readonly Value[] | undefined {
  const { node, inputs, builder, transposed } = request;
  const slides = definitionOf(node)?.elementwise || node.op === 'Concat' || node.op === 'Dropout';
  if (!slides || node.outputs.length !== 1) return undefined;
  const perm = inputs
    .map((input) => (input === undefined ? undefined : transposed.get(input)?.perm))
    .find((each) => each !== undefined);
  if (perm === undefined) return undefined;
  const sources = inputs.map((input) =>
    input === undefined ? undefined : beneath({ input, perm, builder, transposed, exact: node.op === 'Concat' }),
  );
  if (sources.some((source, index) => source === undefined && inputs[index] !== undefined)) return undefined;
  const attributes = node.op === 'Concat' ? { axis: concatAxis(node, perm) } : node.attributes;
  const [result] = builder.anyNode({ ...node, inputs: sources, attributes }, node.outputs, { nodeName: node.name });
  return [transpose({ builder, transposed, perm, source: result as Value })];
}

function concatAxis(node: Node, perm: readonly number[]): number {
  const { axis } = node.attributes as { axis: number };
  return perm[axis < 0 ? axis + perm.length : axis] as number;
}

interface BeneathRequest {
  readonly input: Value;
  readonly perm: readonly number[];
  readonly builder: GraphBuilder;
  readonly transposed: Map<Value, Transposed>;
  readonly exact: boolean;
}

/** What `input` is before the common transpose; undefined when getting there would cost a transpose of real data. */
function beneath({ input, perm, builder, transposed, exact }: BeneathRequest): Value | undefined {
  const known = transposed.get(input);
  if (known !== undefined) return known.perm.every((axis, index) => axis === perm[index]) ? known.source : undefined;
  if (exact || input.shape.length > perm.length) return undefined;
  const rank = perm.length;
  const padded = [...new Array<number>(rank - input.shape.length).fill(1), ...input.shape];
  const wide = padded.flatMap((extent, axis) => (extent === 1 ? [] : [axis]));
  if (wide.length === 0)
    return input.shape.length === 0 ? input : reshape(builder, input, new Array<number>(rank).fill(1));
  if (wide.length > 1 || typeof padded[wide[0] as number] !== 'number') return undefined;
  const shape = new Array<number>(rank).fill(1);
  shape[perm[wide[0] as number] as number] = padded[wide[0] as number] as number;
  return reshape(builder, input, shape);
}

function reshape(builder: GraphBuilder, input: Value, shape: readonly number[]): Value {
  return builder.op('Reshape', [input, builder.integers(shape)]);
}
