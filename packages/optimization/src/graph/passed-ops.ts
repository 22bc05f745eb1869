import type { Node } from '@modelwright/core';
import type { Spread } from './spread.js';

/** Whether pooling and an operation with this constant may change places: `pool(x · c) = pool(x) · c`, `pool(x + c) = pool(x) + c`. */
export function spreadsOverWindows(
  node: Node,
  { kind, spread }: { readonly kind: 'Mul' | 'Add'; readonly spread: Spread },
): boolean {
  // Within a window the constant has to be the same.
  if (node.outputs.length > 1 || spread.shape.some((extent, axis) => axis > 1 && extent !== 1)) return false;
  switch (node.op) {
    case 'MaxPool':
    case 'GlobalMaxPool':
      return kind === 'Add' || spread.data.every((element) => element > 0);
    case 'AveragePool':
      return kind === 'Mul' || !countsPadding(node);
    default:
      return node.op === 'GlobalAveragePool';
  }
}

function countsPadding({ attributes }: Node): boolean {
  const { count_include_pad: counts, ceil_mode: ceil } = attributes;
  return counts === 1 && (isPadded(attributes) || ceil === 1);
}

/** Whether a window may reach beyond the image. */
export function isPadded(attributes: Node['attributes']): boolean {
  const { auto_pad: auto, pads } = attributes as { auto_pad?: string; pads?: readonly number[] };
  return auto === 'SAME_UPPER' || auto === 'SAME_LOWER' || (pads ?? []).some((extent) => extent !== 0);
}
