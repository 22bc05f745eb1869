import { type Graph, isConcrete, type Node, type Value } from '@modelwright/core';

/** Decides whether the provider claims a node that it then fails on, or computes wrongly. */
type Rule = (node: Node) => boolean;

const spatialRank = ({ inputs }: Node): number => (inputs[0]?.shape.length ?? 0) - 2;
const isVolume: Rule = (node) => spatialRank(node) > 2;

/** Nodes that the WebGPU provider must not take, by op; each was seen to fail in ONNX Runtime 1.30. */
const rules: { readonly [op: string]: Rule } = {
  // "The Indices output is not supported", when it runs.
  MaxPool: (node) => node.outputs.length > 1 || isVolume(node),
  AveragePool: isVolume,
  Conv: (node) => isVolume(node) || hasRemainder(node),
  ConvTranspose: isVolume,
  BatchNormalization: (node) => node.attributes['training_mode'] === 1,
  // Only powers of floating-point numbers are in its table of shaders, and none that broadcasts both sides.
  Pow: ({ inputs, outputs }) =>
    inputs.some((input) => input?.dtype !== 'float32' && input?.dtype !== 'float16') ||
    inputs.every((input) => String(input?.shape) !== String(outputs[0]?.shape)),
  // An extent of 1 is not broadcast.
  Einsum: ({ inputs }) => inputs.some((input) => input?.shape.includes(1) || input?.dtype !== 'float32'),
  Pad: ({ attributes }) => attributes['mode'] === 'wrap',
  Resize: ({ attributes }) => attributes['antialias'] === 1 || attributes['axes'] !== undefined,
  // Scale and bias are read as if they had the whole normalized shape.
  LayerNormalization: ({ inputs, attributes }) => {
    const [x, scale] = inputs as readonly [Value, Value | undefined];
    const axis = attributes['axis'] as number;
    const normalized = x.shape.slice(axis < 0 ? axis + x.shape.length : axis);
    return scale !== undefined && String(scale.shape) !== String(normalized);
  },
};

/** A convolution whose filters are read wrongly (see `conv.ts`) and that has not been rewritten. */
const hasRemainder: Rule = ({ inputs, attributes }) => {
  const [filters, channels] = inputs[1]?.shape ?? [];
  if (typeof filters !== 'number' || typeof channels !== 'number' || filters % 4 !== 0) return false;
  const group = attributes['group'] as number;
  if (group > 1) return filters !== group && (filters / group) % 4 !== 0;
  return channels > 3 && channels % 3 === 0 && channels % 4 !== 0;
};

/**
 * @param hasHalves - whether the GPU computes in float16; the provider takes such nodes in any case.
 * @returns names of the nodes that have to run on the CPU for the provider's sake.
 */
export function nodesForCpu(graph: Graph, hasHalves: boolean): readonly string[] {
  return graph.nodes
    .filter((node) => node.domain === '' && (isEmpty(node) || rules[node.op]?.(node) || (!hasHalves && isHalf(node))))
    .map(({ name }) => name);
}

const isHalf: Rule = ({ inputs, outputs }) => [...inputs, ...outputs].some((value) => value?.dtype === 'float16');

/** Tiles of tensors without elements are divided by zero, which ends the process. */
function isEmpty({ inputs, outputs }: Node): boolean {
  return [...inputs, ...outputs].some(
    (value) => value !== undefined && isConcrete(value.shape) && value.shape.includes(0),
  );
}
