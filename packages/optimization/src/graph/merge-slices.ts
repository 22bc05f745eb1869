import { isUnknownShape, type Node, normalizeAxis, tensor, toNumbers, type Value } from '@modelwright/core';
import type { GraphEditor } from './graph-editor.js';
import type { Rewrite } from './rewrite.js';

interface Range {
  readonly node: Node;
  readonly axis: number;
  readonly start: number;
  readonly end: number;
}

/** Slices that lie side by side and make up a whole axis as one `Split`. */
export const mergeSlices: Rewrite = {
  ops: ['Slice'],
  apply(node, editor) {
    const input = node.inputs[0] as Value;
    const own = rangeOf(editor, node);
    if (own === undefined) return undefined;
    const ranges = editor
      .readersOf(input)
      .flatMap((reader) => rangeOf(editor, reader) ?? [])
      .filter((range) => range.axis === own.axis && range.node.inputs[0] === input)
      .sort((a, b) => a.start - b.start);
    const isWhole = ranges.every(({ start }, at) => start === (ranges[at - 1]?.end ?? 0));
    if (ranges.length < 2 || !isWhole || ranges.at(-1)?.end !== input.shape[own.axis]) return undefined;
    split(editor, input, ranges);
    return 'Slices as Split';
  },
};

function split(editor: GraphEditor, input: Value, ranges: readonly Range[]): void {
  const [{ axis }] = ranges as readonly [Range];
  const sizes = ranges.map(({ start, end }) => end - start);
  const first = editor.nodes.find((node) => ranges.some((range) => range.node === node)) as Node;
  const name = editor.claim(`${first.name}/Split`);
  const given = editor.addConstant(`${name}/sizes`, tensor(sizes, { dtype: 'int64', shape: [sizes.length] }));
  const outputs = ranges.map(({ node }) => node.outputs[0] as Value);
  for (const { node } of ranges) if (node !== first) editor.replace(node, []);
  editor.replace(first, [{ op: 'Split', domain: '', name, inputs: [input, given], outputs, attributes: { axis } }]);
}

/** What part of which axis a slice takes, without gaps. */
function rangeOf(editor: GraphEditor, node: Node): Range | undefined {
  const input = node.inputs[0];
  if (node.op !== 'Slice' || node.domain !== '' || input === undefined || isUnknownShape(input.shape)) return undefined;
  const numbers = [1, 2, 3, 4].map((at) => {
    const held = editor.constantOf(node.inputs[at]);
    return held === undefined || held.elementCount !== 1 ? undefined : (toNumbers(held)[0] as number);
  });
  const [start, end, givenAxis, step] = numbers;
  if (start === undefined || end === undefined || (node.inputs[4] !== undefined && step !== 1)) return undefined;
  if (node.inputs[3] !== undefined && givenAxis === undefined) return undefined;
  const axis = normalizeAxis(givenAxis ?? 0, input.shape.length);
  const extent = input.shape[axis];
  if (typeof extent !== 'number') return undefined;
  const within = (place: number): number => Math.max(0, Math.min(extent, place < 0 ? place + extent : place));
  return within(start) < within(end) ? { node, axis, start: within(start), end: within(end) } : undefined;
}
