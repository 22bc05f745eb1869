import type { Node, Value } from '@modelwright/core';
import { fromFront, heldNumbers, type LinkContext } from './link-context.js';

/** One element of a vector of extents: the axis it was read from, if it was. */
type Read = { readonly value: Value; readonly axis: number } | undefined;

/** Ops that make a tensor of the form that is asked for: it changes with what it was read from. */
const followers = new Set(['Reshape', 'Expand']);

/**
 * Extents that a graph reads (`Shape`) and computes with have to stay, else the result would be another number. Those that
 * only say how to reshape or expand may change.
 */
export function pinShapeReaders(context: LinkContext): void {
  const reads = new Map<Value, readonly Read[]>();
  for (const node of context.graph.nodes) {
    if (node.op === 'Shape') noteShape(node, reads);
    else if (node.inputs.some((input) => input !== undefined && reads.has(input))) follow(node, reads, context);
  }
}

function noteShape(node: Node, reads: Map<Value, readonly Read[]>): void {
  const [value] = node.inputs;
  const [output] = node.outputs;
  if (value === undefined || output === undefined) return;
  const rank = value.shape.length;
  const { start = 0, end = rank } = node.attributes as { readonly start?: number; readonly end?: number };
  const all = value.shape.map((_, axis): Read => ({ value, axis }));
  reads.set(output, all.slice(fromFront(start, rank), fromFront(end, rank)));
}

function follow(node: Node, reads: Map<Value, readonly Read[]>, context: LinkContext): void {
  const [output] = node.outputs;
  const passed = passedOn(node, reads, context);
  if (passed !== undefined && output !== undefined) {
    reads.set(output, passed);
    return;
  }
  if (followers.has(node.op) && !reads.has(node.inputs[0] as Value)) return;
  for (const input of node.inputs) {
    for (const read of (input && reads.get(input)) ?? [])
      if (read !== undefined) context.labels.pinAxis(read.value, read.axis, `${node.op} '${node.name}'`);
  }
}

/** What the node's output holds, where it only picks and joins. */
function passedOn(
  node: Node,
  reads: ReadonlyMap<Value, readonly Read[]>,
  context: LinkContext,
): readonly Read[] | undefined {
  const [first, second] = node.inputs;
  const given = (first && reads.get(first)) ?? undefined;
  switch (node.op) {
    case 'Identity':
    case 'Unsqueeze':
    case 'Squeeze':
      return given;
    case 'Cast':
      return node.outputs[0]?.dtype.startsWith('int') ? given : undefined;
    case 'Gather':
      return given && heldNumbers(context, second)?.map((index) => given[fromFront(index, given.length)]);
    case 'Slice': {
      const [starts, ends] = [1, 2].map((index) => heldNumbers(context, node.inputs[index]));
      return node.inputs[4] === undefined && starts && ends ? given?.slice(starts[0], ends[0]) : undefined;
    }
    case 'Concat':
      return node.inputs.flatMap((input): readonly Read[] => {
        const count = input?.shape[0];
        return (input && reads.get(input)) ?? new Array<Read>(typeof count === 'number' ? count : 1).fill(undefined);
      });
    default:
      return undefined;
  }
}
