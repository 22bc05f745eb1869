import { isConcrete, normalizeAxis, type Shape } from '@modelwright/core';
import type { SourceNode } from '../read/source-node.js';
import { type Conversion, forOps, numberAttribute, sourceNode, type UpConversion, withAttribute } from './rule.js';

// Before opset 13 the input was seen as a matrix, split at `axis` (default 1), and each of its rows was normalized. Where
// at most one extent from `axis` on differs from 1 that is the new form along that one axis.
const flattened: Conversion = (node, context) => {
  const input = node.inputs[0] ?? '';
  const { shape } = context.typeOf(input);
  const given = numberAttribute(node, 'axis', context) ?? 1;
  if (given < -shape.length || given > Math.max(0, shape.length - 1)) {
    return context.fail(`axis ${given} is out of range for rank ${shape.length}`);
  }
  const axis = shape.length === 0 ? 0 : normalizeAxis(given, shape.length);
  const single = singleAxis(shape, axis);
  if (single !== undefined) return [withAttribute(node, 'axis', 'int', single)];

  const [matrix, rows] = [context.fresh('flattened'), context.fresh('normalized')];
  const target = isConcrete(shape) ? context.integers(shape) : context.fresh('shape');
  const nodes: SourceNode[] = [
    sourceNode('Flatten', [input], matrix, { axis }),
    { ...withAttribute(node, 'axis', 'int', -1), inputs: [matrix], outputs: [rows] },
  ];
  if (!isConcrete(shape)) nodes.push(sourceNode('Shape', [input], target));
  nodes.push({ ...sourceNode('Reshape', [rows, target], node.outputs[0] ?? ''), name: `${node.name}/Reshape` });
  return nodes;
};

function singleAxis(shape: Shape, axis: number): number | undefined {
  const long = shape.map((extent, at) => ({ extent, at })).filter(({ extent, at }) => at >= axis && extent !== 1);
  if (long.length > 1) return undefined;
  return long[0]?.at ?? axis;
}

/** Softmax, LogSoftmax and Hardmax over a flattened input. */
export const flattenedSoftmax: readonly UpConversion[] = forOps(['Softmax', 'LogSoftmax', 'Hardmax'], 13, flattened);
