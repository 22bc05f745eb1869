import { type Node, toNumbers, type Value } from '@modelwright/core';
import type { GraphEditor } from './graph-editor.js';
import { isNonNegative } from './remove-redundant.js';
import { type Rewrite, scalarNumber, soleProducer } from './rewrite.js';

interface Padding {
  readonly source: Value;
  /** Before and after each axis but the first two. */
  readonly before: readonly number[];
  readonly after: readonly number[];
  readonly value: number;
}

/** Pads with a constant along the axes of an image, nothing cut off. */
function paddingOf(editor: GraphEditor, node: Node | undefined): Padding | undefined {
  if (node === undefined || (node.attributes['mode'] ?? 'constant') !== 'constant' || node.inputs[3] !== undefined)
    return undefined;
  const [source, pads, value] = node.inputs as readonly [Value, Value, Value | undefined];
  const held = editor.constantOf(pads);
  const number = value === undefined ? 0 : scalarNumber(editor.constantOf(value));
  if (held === undefined || number === undefined) return undefined;
  const extents = [...toNumbers(held)];
  const rank = source.shape.length;
  const [before, after] = [extents.slice(0, rank), extents.slice(rank)];
  if (extents.some((extent) => extent < 0)) return undefined;
  if ([...before.slice(0, 2), ...after.slice(0, 2)].some((extent) => extent !== 0)) return undefined;
  return { source, before: before.slice(2), after: after.slice(2), value: number };
}

/** `Pad` becomes the padding of the convolution or pooling that reads it. */
export const fusePadding: Rewrite = {
  ops: ['Conv', 'MaxPool', 'AveragePool'],
  apply(node, editor) {
    const padding = paddingOf(editor, soleProducer(editor, node.inputs[0], 'Pad'));
    const { auto_pad: auto = 'NOTSET', pads } = node.attributes as { auto_pad?: string; pads?: readonly number[] };
    if (padding === undefined || (auto !== 'NOTSET' && auto !== 'VALID')) return undefined;
    const spatial = padding.before.length;
    const own = auto === 'VALID' || pads === undefined ? new Array<number>(2 * spatial).fill(0) : pads;
    const sums = [...padding.before, ...padding.after].map((extent, index) => extent + (own[index] as number));
    const change = changeFor(editor, node, { padding, own, sums });
    if (change === undefined) return undefined;
    editor.update(node, {
      inputs: [padding.source, ...node.inputs.slice(1)],
      attributes: { ...node.attributes, auto_pad: 'NOTSET', pads: sums, ...change },
    });
    return `Pad into ${node.op}`;
  },
};

interface Request {
  readonly padding: Padding;
  readonly own: readonly number[];
  readonly sums: readonly number[];
}

/** Further attributes to set; undefined where the op pads with something else. */
function changeFor(editor: GraphEditor, node: Node, { padding, own, sums }: Request): Node['attributes'] | undefined {
  if (node.op === 'Conv') return padding.value === 0 ? {} : undefined;
  const kernel = node.attributes['kernel_shape'] as readonly number[];
  // Runtimes want each window to reach into the image.
  if (sums.some((extent, index) => extent >= (kernel[index % kernel.length] as number))) return undefined;
  if (node.attributes['ceil_mode'] === 1 || node.outputs.length > 1) return undefined;
  if (node.op === 'MaxPool') {
    const idle = padding.value <= lowest || (padding.value === 0 && isNonNegative(editor, padding.source));
    return idle ? {} : undefined;
  }
  const counts = node.attributes['count_include_pad'] === 1 || own.every((extent) => extent === 0);
  return padding.value === 0 && counts ? { count_include_pad: 1 } : undefined;
}

/** As float32 has it. */
const lowest = -3.4e38;
