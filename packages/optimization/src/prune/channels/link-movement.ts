import type { Node, Value } from '@modelwright/core';
import {
  fromFront,
  heldNumbers,
  inputOf,
  type LinkContext,
  type LinkRule,
  linkBroadcast,
  linkSame,
  outputOf,
  pinNode,
} from './link-context.js';
import { linkReshaped } from './link-reshaped.js';

const reasonOf = (node: Node): string => `${node.op} '${node.name}'`;

const linkTranspose: LinkRule = (node, { labels }) => {
  const [x, y] = [inputOf(node, 0), outputOf(node)];
  const last = x.shape.length - 1;
  const perm = (node.attributes['perm'] as readonly number[] | undefined) ?? x.shape.map((_, axis) => last - axis);
  perm.forEach((from, axis) => {
    labels.linkAxis(x, from, y, axis);
  });
};

/** Parts side by side along an axis; `whole` holds all of them. */
function linkParts(
  node: Node,
  { labels }: LinkContext,
  { whole, parts }: { readonly whole: Value; readonly parts: readonly Value[] },
): void {
  const axis = fromFront((node.attributes['axis'] as number | undefined) ?? 0, whole.shape.length);
  const positions = labels.of(whole, axis);
  const isOpen = [whole, ...parts].some(({ shape }) => typeof shape[axis] !== 'number');
  let offset = 0;
  for (const part of parts) {
    part.shape.forEach((_, other) => {
      if (other !== axis) labels.linkAxis(part, other, whole);
      else if (isOpen) labels.pinAxis(part, other, reasonOf(node));
    });
    if (isOpen) continue;
    const own = labels.of(part, axis);
    labels.link(own, positions.subarray(offset, offset + own.length));
    offset += own.length;
  }
  if (isOpen) labels.pin(positions, reasonOf(node));
}

const linkConcat: LinkRule = (node, context) =>
  linkParts(node, context, { whole: outputOf(node), parts: node.inputs as readonly Value[] });

const linkSplit: LinkRule = (node, context) =>
  linkParts(node, context, { whole: inputOf(node, 0), parts: node.outputs });

/** What `Slice` does along each axis it names; undefined where only the run can tell. */
export function slicedAxes(
  node: Node,
  context: Pick<LinkContext, 'graph'>,
): readonly { readonly axis: number; readonly start?: number; readonly step?: number }[] | undefined {
  const rank = inputOf(node, 0).shape.length;
  const [starts, ends, axes, steps] = [1, 2, 3, 4].map((index) => heldNumbers(context, node.inputs[index]));
  const count = node.inputs[1]?.shape[0];
  if ((node.inputs[3] !== undefined && axes === undefined) || typeof count !== 'number') return undefined;
  return Array.from({ length: count }, (_, index) => {
    const axis = fromFront(axes?.[index] ?? index, rank);
    const extent = inputOf(node, 0).shape[axis];
    const step = node.inputs[4] === undefined ? 1 : steps?.[index];
    const [start, end] = [starts?.[index], ends?.[index]];
    if (start === undefined || end === undefined || step === undefined || typeof extent !== 'number') return { axis };
    return { axis, step, start: Math.min(Math.max(start < 0 ? start + extent : start, 0), extent) };
  });
}

const linkSlice: LinkRule = (node, context) => {
  const { labels } = context;
  const [x, y] = [inputOf(node, 0), outputOf(node)];
  const axes = slicedAxes(node, context);
  if (axes === undefined) {
    pinNode(node, context);
    return;
  }
  const named = new Map(axes.map((each) => [each.axis, each]));
  x.shape.forEach((_, axis) => {
    const slice = named.get(axis);
    const [before, after] = [labels.of(x, axis), labels.of(y, axis)];
    if (slice === undefined) labels.link(before, after);
    else if (slice.start === undefined || slice.step !== 1) {
      labels.pin(before, reasonOf(node));
      labels.pin(after, reasonOf(node));
    } else labels.link(before.subarray(slice.start, slice.start + after.length), after);
  });
};

/** How many elements `Pad` puts before each axis. */
export function padsBefore(node: Node, context: Pick<LinkContext, 'graph'>): readonly number[] | undefined {
  const rank = inputOf(node, 0).shape.length;
  const pads = heldNumbers(context, node.inputs[1]);
  const axes = node.inputs[3] === undefined ? undefined : heldNumbers(context, node.inputs[3]);
  if (pads === undefined || (node.inputs[3] !== undefined && axes === undefined)) return undefined;
  const before = new Array<number>(rank).fill(0);
  (axes ?? before.map((_, axis) => axis)).forEach((axis, index) => {
    before[fromFront(axis, rank)] = pads[index] ?? 0;
  });
  return before;
}

/** New channels of a `Pad` with a constant go with whatever they are added to. */
const linkPad: LinkRule = (node, context) => {
  const { labels } = context;
  const [x, y] = [inputOf(node, 0), outputOf(node)];
  const before = padsBefore(node, context);
  if (before === undefined) {
    pinNode(node, context);
    return;
  }
  const isConstant = (node.attributes['mode'] ?? 'constant') === 'constant';
  x.shape.forEach((_, axis) => {
    const [own, padded] = [labels.of(x, axis), labels.of(y, axis)];
    const start = before[axis] as number;
    if (own.length === padded.length && start === 0) labels.link(own, padded);
    else if (isConstant && start >= 0 && start + own.length <= padded.length)
      labels.link(own, padded.subarray(start, start + own.length));
    else {
      labels.pin(own, reasonOf(node));
      labels.pin(padded, reasonOf(node));
    }
  });
};

const linkExpand: LinkRule = (node, context) => linkBroadcast(context, { x: inputOf(node, 0), y: outputOf(node) });

const linkTile: LinkRule = (node, context) => {
  const { labels } = context;
  const [x, y] = [inputOf(node, 0), outputOf(node)];
  x.shape.forEach((_, axis) => {
    const [own, tiled] = [labels.of(x, axis), labels.of(y, axis)];
    if (own.length === 0 || tiled.length % own.length !== 0) {
      labels.pin(own, reasonOf(node));
      labels.pin(tiled, reasonOf(node));
    }
    tiled.forEach((label, index) => {
      if (own.length > 0) labels.unite(label, own[index % own.length] as number);
    });
  });
};

/** Rows are looked up; what a row holds goes on: the width of an embedding. */
const linkGather: LinkRule = (node, { labels }) => {
  const [data, indices, y] = [inputOf(node, 0), inputOf(node, 1), outputOf(node)];
  const axis = fromFront((node.attributes['axis'] as number | undefined) ?? 0, data.shape.length);
  const more = indices.shape.length - 1;
  labels.pinAxis(data, axis, reasonOf(node));
  labels.pinValue(indices, reasonOf(node));
  indices.shape.forEach((_, at) => {
    labels.pinAxis(y, axis + at, reasonOf(node));
  });
  data.shape.forEach((_, at) => {
    if (at < axis) labels.linkAxis(data, at, y);
    if (at <= axis) return;
    labels.linkAxis(data, at, y, at + more);
    labels.produced.push({ node, input: 0, axis: at });
  });
};

/** Space has to stay, batch and channels go on. */
const linkSpatial: LinkRule = (node, { labels }) => {
  const x = inputOf(node, 0);
  for (const y of node.outputs) {
    x.shape.forEach((_, axis) => {
      if (axis < 2) labels.linkAxis(x, axis, y);
      else for (const value of [x, y]) labels.pinAxis(value, axis, reasonOf(node));
    });
  }
};

/** Channels and blocks of pixels become each other: a channel of the wide side goes with all that its pixels come from. */
const linkBlocks: LinkRule = (node, { labels }) => {
  const [x, y] = [inputOf(node, 0), outputOf(node)];
  const [deep, wide] = node.op === 'DepthToSpace' ? [x, y] : [y, x];
  const isColumnMajor = node.op === 'DepthToSpace' && node.attributes['mode'] === 'CRD';
  labels.linkAxis(x, 0, y);
  for (const axis of [2, 3]) for (const value of [x, y]) labels.pinAxis(value, axis, reasonOf(node));
  const [channels, blocks] = [labels.of(wide, 1), labels.of(deep, 1)];
  const each = blocks.length / channels.length;
  blocks.forEach((label, index) => {
    const channel = isColumnMajor ? Math.floor(index / each) : index % channels.length;
    labels.unite(label, channels[channel] as number);
  });
};

/** The scale of each channel goes with it. */
const linkQuantized: LinkRule = (node, context) => {
  const { labels } = context;
  const x = inputOf(node, 0);
  if ((node.attributes['block_size'] ?? 0) !== 0) {
    pinNode(node, context);
    return;
  }
  linkSame(node, context);
  const axis = fromFront((node.attributes['axis'] as number | undefined) ?? 1, x.shape.length);
  for (const vector of node.inputs.slice(1)) if (vector?.shape.length === 1) labels.linkAxis(vector, 0, x, axis);
};

/** Shapes are taken from the first input: random numbers of its form. */
const linkLike: LinkRule = (node, context) => linkSame(node, context);

const spatialOps = [
  ...['MaxPool', 'AveragePool', 'LpPool', 'GlobalAveragePool', 'GlobalMaxPool', 'GlobalLpPool'],
  ...['Resize', 'Upsample'],
];

/** Ops that move elements. */
export const movementRules: { readonly [op: string]: LinkRule } = {
  Transpose: linkTranspose,
  Concat: linkConcat,
  Split: linkSplit,
  Slice: linkSlice,
  Pad: linkPad,
  Expand: linkExpand,
  Tile: linkTile,
  Gather: linkGather,
  Reshape: linkReshaped,
  Flatten: linkReshaped,
  Squeeze: linkReshaped,
  Unsqueeze: linkReshaped,
  DepthToSpace: linkBlocks,
  SpaceToDepth: linkBlocks,
  Dropout: linkLike,
  Bernoulli: linkLike,
  RandomNormalLike: linkLike,
  RandomUniformLike: linkLike,
  QuantizeLinear: linkQuantized,
  DequantizeLinear: linkQuantized,
  ...Object.fromEntries(spatialOps.map((op) => [op, linkSpatial])),
};
