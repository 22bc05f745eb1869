import { type Dimension, multiplyDimensions, type Shape, sameDimension, type Value } from '@modelwright/core';
import type { ChannelLabels } from './channel-labels.js';
import { inputOf, type LinkContext, type LinkRule, outputOf } from './link-context.js';

/** One axis on one side of a reshape that is several on the other. */
export interface FoldedAxes {
  readonly whole: { readonly value: Value; readonly axis: number };
  /** Its factors, the slowest first. */
  readonly parts: { readonly value: Value; readonly axes: readonly number[] };
  readonly reason: string;
}

/** `Reshape`, `Flatten`, `Squeeze`, `Unsqueeze`: axes of equal extent go on, others are folded or taken apart. */
export const linkReshaped: LinkRule = (node, context) => {
  const [x, y] = [inputOf(node, 0), outputOf(node)];
  const reason = `${node.op} '${node.name}'`;
  for (const { from, to } of alignShapes(x.shape, y.shape)) linkBlock(context, { x, y, from, to, reason });
};

/** Axes of either side with the same product. */
interface Block {
  readonly from: readonly number[];
  readonly to: readonly number[];
}

function linkBlock(context: LinkContext, block: Block & { x: Value; y: Value; reason: string }): void {
  const { x, y, from, to, reason } = block;
  const { labels, folds } = context;
  const [[first], [second]] = [from, to];
  if (from.length === 1 && to.length === 1) labels.linkAxis(x, first as number, y, second as number);
  else if (from.length === 1 && to.length > 1)
    folds.push({ whole: { value: x, axis: first as number }, parts: { value: y, axes: to }, reason });
  else if (to.length === 1 && from.length > 1)
    folds.push({ whole: { value: y, axis: second as number }, parts: { value: x, axes: from }, reason });
  else {
    for (const axis of from) labels.pinAxis(x, axis, reason);
    for (const axis of to) labels.pinAxis(y, axis, reason);
  }
}

/**
 * Positions of the axis that is folded follow those of one factor: the first that may lose any; the other factors stay. So
 * a channel goes with all its pixels, and a head with all its features.
 */
export function linkFolded(labels: ChannelLabels, { whole, parts, reason }: FoldedAxes): void {
  const positions = labels.of(whole.value, whole.axis);
  const factors = parts.axes.map((axis) => labels.of(parts.value, axis));
  const free = factors.find((factor) => factor.length > 1 && !labels.isPinned(factor));
  for (const factor of factors) if (factor !== free) labels.pin(factor, reason);
  const count = factors.reduce((product, factor) => product * factor.length, 1);
  if (free === undefined || count !== positions.length) {
    labels.pin(positions, reason);
    if (free !== undefined) labels.pin(free, reason);
    return;
  }
  const inner = factors.slice(factors.indexOf(free) + 1).reduce((product, factor) => product * factor.length, 1);
  positions.forEach((label, index) => {
    labels.unite(label, free[Math.floor(index / inner) % free.length] as number);
  });
}

/** Cuts two shapes of equal count into the shortest runs of axes with equal products; axes of extent 1 stand alone. */
export function alignShapes(before: Shape, after: Shape): readonly Block[] {
  const [from, to] = [wideAxes(before), wideAxes(after)];
  const ones = [
    ...oneAxes(before).map((axis) => ({ from: [axis], to: [] })),
    ...oneAxes(after).map((axis) => ({ from: [], to: [axis] })),
  ];
  const equal = (some: readonly number[], others: readonly number[]): boolean =>
    sameDimension(product(before, some), product(after, others));
  const front = takeBlocks({ from, to }, equal);
  const rest = { from: from.slice(front.from), to: to.slice(front.to) };
  // What only the run can tell stands in the middle; axes behind it may still be equal.
  const back = takeBlocks({ from: rest.from.toReversed(), to: rest.to.toReversed() }, equal);
  const left = {
    from: rest.from.slice(0, rest.from.length - back.from),
    to: rest.to.slice(0, rest.to.length - back.to),
  };
  const turned = back.blocks.map((block) => ({ from: block.from.toReversed(), to: block.to.toReversed() }));
  return [...ones, ...front.blocks, ...apart(left), ...turned];
}

/** The shortest blocks from the front as far as they match, and how many axes of either side they take. */
function takeBlocks(
  { from, to }: Block,
  equal: (from: readonly number[], to: readonly number[]) => boolean,
): { readonly blocks: readonly Block[]; readonly from: number; readonly to: number } {
  const blocks: Block[] = [];
  let [i, j] = [0, 0];
  for (let next = nextBlock(); next !== undefined; next = nextBlock()) {
    blocks.push(next);
    [i, j] = [i + next.from.length, j + next.to.length];
  }
  return { blocks, from: i, to: j };

  function nextBlock(): Block | undefined {
    for (let length = 2; length <= from.length - i + to.length - j; length++) {
      for (let taken = 1; taken < length; taken++) {
        const block = { from: from.slice(i, i + taken), to: to.slice(j, j + length - taken) };
        const isWhole = block.from.length + block.to.length === length;
        if (isWhole && equal(block.from, block.to)) return block;
      }
    }
    return undefined;
  }
}

// Axes that could not be matched pair with nothing.
const apart = ({ from, to }: Block): readonly Block[] => [
  { from, to: [] },
  { from: [], to },
];
const wideAxes = (shape: Shape): number[] => shape.flatMap((each, axis) => (each === 1 ? [] : [axis]));
const oneAxes = (shape: Shape): number[] => shape.flatMap((each, axis) => (each === 1 ? [axis] : []));
const extent = (shape: Shape, axis: number | undefined): Dimension => shape[axis as number] as Dimension;
const product = (shape: Shape, axes: readonly number[]): Dimension =>
  axes.map((axis) => extent(shape, axis)).reduce<Dimension>(multiplyDimensions, 1);
