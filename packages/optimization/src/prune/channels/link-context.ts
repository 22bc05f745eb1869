import type { Graph, Node, Value } from '@modelwright/core';
import { toNumbers } from '@modelwright/core';
import type { ChannelLabels } from './channel-labels.js';
import type { FoldedAxes } from './link-reshaped.js';

/** What the rules of the ops work with. */
export interface LinkContext {
  readonly graph: Graph;
  readonly labels: ChannelLabels;
  /** Whether channels that are normalized together may be removed. */
  readonly width: boolean;
  /** Axes that a reshape folds into one or takes apart; decided when all else is known. */
  readonly folds: FoldedAxes[];
}

/** Says how positions of a node's inputs and outputs belong together. */
export type LinkRule = (node: Node, context: LinkContext) => void;

/** The input at `index`, which the op has to have. */
export const inputOf = (node: Node, index: number): Value => node.inputs[index] as Value;
/** The output at `index`. */
export const outputOf = (node: Node, index = 0): Value => node.outputs[index] as Value;

/** Elements of an input that is a constant. */
export function heldNumbers({ graph }: Pick<LinkContext, 'graph'>, value: Value | undefined): number[] | undefined {
  const held = value === undefined ? undefined : graph.constants.get(value);
  return held === undefined ? undefined : [...toNumbers(held)];
}

/** An axis counted from the front. */
export const fromFront = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

/** Nothing of the node's inputs and outputs can go. */
export const pinNode: LinkRule = (node, { labels }) => {
  const reason = `${node.op} '${node.name}'`;
  for (const value of [...node.inputs, ...node.outputs]) labels.pinValue(value, reason);
};

/** Links all axes of the first input and of every output, but for some. */
export function linkSame(node: Node, { labels }: LinkContext, except: readonly number[] = []): void {
  const x = inputOf(node, 0);
  for (const y of node.outputs) {
    x.shape.forEach((_, axis) => {
      if (except.includes(axis)) {
        labels.pinAxis(x, axis, `${node.op} '${node.name}'`);
        labels.pinAxis(y, axis, `${node.op} '${node.name}'`);
      } else labels.linkAxis(x, axis, y);
    });
  }
}

/** Links axes of `x` with those of `y` that it is broadcast to, but for the last of both. */
export function linkBroadcast(
  { labels }: LinkContext,
  { x, y, leaveLast = 0 }: { readonly x: Value; readonly y: Value; readonly leaveLast?: number },
): void {
  const offset = y.shape.length - x.shape.length;
  for (let axis = 0; axis < x.shape.length - leaveLast; axis++) {
    const isSpread = x.shape[axis] === 1 && y.shape[axis + offset] !== 1;
    if (isSpread) labels.pinAxis(x, axis, `'${x.name}' is broadcast`);
    else labels.linkAxis(x, axis, y, axis + offset);
  }
}

/** Positions of all inputs go with those of the output that they are broadcast to. */
export const linkElementwise: LinkRule = (node, context) => {
  for (const x of node.inputs) {
    if (x !== undefined) linkBroadcast(context, { x, y: outputOf(node) });
  }
};

/** Channels in `groups` equal runs, each with its own filter or statistics. */
export interface GroupedChannels {
  readonly labels: ChannelLabels;
  readonly channels: Int32Array;
  readonly groups: number;
}

/** Unites all channels of a group. */
export function uniteGroups({ labels, channels, groups }: GroupedChannels): void {
  const size = channels.length / groups;
  channels.forEach((label, index) => {
    labels.unite(label, channels[Math.floor(index / size) * size] as number);
  });
}

/** Unites channels that stand at the same place of their groups. */
export function uniteAcrossGroups({ labels, channels, groups }: GroupedChannels): void {
  const size = channels.length / groups;
  channels.forEach((label, index) => {
    labels.unite(label, channels[index % size] as number);
  });
}
