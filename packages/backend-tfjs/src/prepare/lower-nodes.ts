import {
  type Attributes,
  definitionOf,
  type Graph,
  GraphBuilder,
  isBlockQuantized,
  isOpName,
  type Node,
  type Value,
} from '@modelwright/core';
import { type ImageBuilder, kernelDomain, type Lowering, type NodeOf } from '../lowering/lowering.js';
import { loweringTable } from '../lowering/lowering-table.js';

/** The table's entry of a node; undefined for nodes of other domains. */
export function loweringOf(node: Node): Lowering<never> | undefined {
  return isOpName(node.op, node.domain) ? (loweringTable[node.op] as Lowering<never>) : undefined;
}

/** Whether simpler ops must take the place of `node`. */
export function needsDecomposition(node: Node): boolean {
  if (isBlockQuantized(node)) return true;
  const lowering = loweringOf(node);
  if (lowering === undefined || definitionOf(node)?.decompose === undefined) return false;
  if (lowering === 'decompose') return true;
  if (lowering.kind === 'kernel') return lowering.compile(node as NodeOf<never>) === undefined;
  return lowering.kind === 'image' && !isImage(node);
}

/** Whether kernels of images take `node`, found out by trying. */
function isImage(node: Node): boolean {
  const lowering = loweringOf(node);
  if (lowering === undefined || lowering === 'decompose' || lowering.kind !== 'image') return false;
  const builder = new GraphBuilder('trial');
  const inputs = node.inputs.map((input) =>
    input === undefined ? undefined : builder.input(input.name, input.dtype, input.shape),
  );
  const transpose = (value: Value, perm: readonly number[]): Value => builder.op('Transpose', [value], { perm });
  return lowering.lower(node as NodeOf<never>, imageBuilder(builder, inputs, transpose)) !== undefined;
}

/** What image lowerings build with. */
export function imageBuilder(
  builder: GraphBuilder,
  inputs: readonly (Value | undefined)[],
  transpose: ImageBuilder['transpose'],
): ImageBuilder {
  return {
    builder,
    inputs,
    transpose,
    kernelNode: ({ op, inputs: sources, attributes, shape }) =>
      kernelNode(builder, { op, inputs: sources, attributes, shape }),
  };
}

/** Adds a node that stands for a kernel. */
export function kernelNode(
  builder: GraphBuilder,
  node: {
    readonly op: string;
    readonly inputs: readonly (Value | undefined)[];
    readonly attributes: Attributes;
    readonly shape: Value['shape'];
  },
): Value {
  const { op, inputs, attributes, shape } = node;
  const kept = inputs.at(-1) === undefined ? inputs.slice(0, -1) : inputs;
  return builder.foreign({
    op,
    domain: kernelDomain,
    inputs: kept,
    attributes,
    outputs: [{ dtype: 'float32', shape }],
  })[0] as Value;
}

/** How often each value is read, results of the graph included. */
export function countUses(graph: Graph, read: (node: Node) => readonly Value[]): ReadonlyMap<Value, number> {
  const uses = new Map<Value, number>();
  const use = (value: Value): void => {
    uses.set(value, (uses.get(value) ?? 0) + 1);
  };
  for (const node of graph.nodes) read(node).forEach(use);
  for (const { value } of graph.outputs) use(value);
  return uses;
}
