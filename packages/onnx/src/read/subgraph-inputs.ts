import type { Shape, Value, ValueType } from '@modelwright/core';
import type { SourceNode } from './source-node.js';

/**
 * What a node tells about the inputs of its subgraph, for files that leave their types open.
 *
 * @param inputs - The node's own inputs.
 */
export function subgraphInputTypes(
  node: SourceNode,
  inputs: readonly (Value | undefined)[],
): readonly (ValueType | undefined)[] {
  if (node.domain !== '') return [];
  if (node.op === 'Loop') {
    return [{ dtype: 'int64', shape: [] }, { dtype: 'bool', shape: [] }, ...inputs.slice(2)];
  }
  return node.op === 'Scan' ? scanInputTypes(node, inputs) : [];
}

function scanInputTypes(node: SourceNode, inputs: readonly (Value | undefined)[]): readonly (ValueType | undefined)[] {
  const scanned = Number(node.attributes['num_scan_inputs'] ?? 0);
  const axes = node.attributes['scan_input_axes'];
  const first = inputs.length - scanned;
  return inputs.map((input, index) => {
    if (input === undefined || index < first) return input;
    const axis = Array.isArray(axes) ? Number(axes[index - first] ?? 0) : 0;
    const at = axis < 0 ? axis + input.shape.length : axis;
    const shape: Shape = input.shape.filter((_, each) => each !== at);
    return { dtype: input.dtype, shape };
  });
}
