import { type Graph, ModelwrightError, type Node, type Value } from '@modelwright/core';
import { positionFlow } from './position-flow.js';

/** Ops that mix places along some axis in ways that no attention cache can follow. */
const mixers: ReadonlySet<string> = new Set([
  ...['Conv', 'ConvTranspose', 'MaxPool', 'AveragePool', 'LpPool', 'MaxUnpool', 'LRN', 'Resize'],
  ...['GlobalAveragePool', 'GlobalMaxPool', 'GlobalLpPool', 'InstanceNormalization', 'GroupNormalization'],
  ...['RNN', 'LSTM', 'GRU', 'Scan', 'Loop', 'ReverseSequence', 'NonZero', 'Compress'],
]);

/** Ops that work along one axis: the places of that axis must not be times. */
const alongAxis: { readonly [op: string]: number } = {
  ...{ Softmax: -1, LogSoftmax: -1, Hardmax: -1, ArgMax: 0, ArgMin: 0, TopK: -1, LpNormalization: -1 },
  ...{ Concat: 0, Split: 0, Gather: 0, GatherElements: 0, ScatterElements: 0 },
};

/** Ops whose axes are an input, by its index; without it they work along all. */
const axesInput: { readonly [op: string]: number } = { CumSum: 1, Slice: 3, Pad: 3 };

/** Ops that reduce the axes from `axis` on. */
const fromAxis: ReadonlySet<string> = new Set(['LayerNormalization', 'RMSNormalization']);

/**
 * Refuses a graph that is seen to mix times other than in `Attention`. Times are known by their symbol, so a model whose
 * input has a fixed length is checked for the ops alone.
 *
 * @throws {@link ModelwrightError} `unsupported-op` naming the node.
 */
export function requirePointwiseInTime(graph: Graph, tokens: Value): void {
  const time = tokens.shape[1];
  const { isPositional } = positionFlow(graph);
  const isTime = (value: Value | undefined, axis: number): boolean =>
    typeof time === 'string' && value?.shape.at(axis) === time;
  for (const node of graph.nodes) {
    if (node.domain !== '' || node.outputs.some(isPositional)) continue;
    const [first] = node.inputs;
    if (!mixers.has(node.op) && !workingAxes(node, graph).some((axis) => isTime(first, axis))) continue;
    throw new ModelwrightError(
      'unsupported-op',
      `${node.op} '${node.name}' mixes the positions of a text; to be decoded token by token, a model may do that in causal attention only`,
      { op: node.op, layer: node.name },
    );
  }
}

/** The axes of its first input that a node does not treat place by place, as far as that is known of its op. */
function workingAxes(node: Node, graph: Graph): readonly number[] {
  const { op, inputs, attributes } = node;
  const rank = inputs[0]?.shape.length ?? 0;
  if (Object.hasOwn(alongAxis, op)) return [Number(attributes['axis'] ?? alongAxis[op])];
  if (fromAxis.has(op)) return countFrom(Number(attributes['axis'] ?? -1), rank);
  if (op === 'MatMul') return [-1];
  if (Object.hasOwn(axesInput, op)) return changedAxes(node, graph);
  return op.startsWith('Reduce') ? (constantAxes(inputs[1], graph) ?? countFrom(0, rank)) : [];
}

/** A padding of nothing, or a slice of all, is none. */
function changedAxes({ op, inputs, outputs }: Node, graph: Graph): readonly number[] {
  const axes = constantAxes(inputs[axesInput[op] as number], graph) ?? countFrom(0, inputs[0]?.shape.length ?? 0);
  if (op !== 'Pad') return axes;
  return axes.filter((axis) => outputs[0]?.shape.at(axis) !== inputs[0]?.shape.at(axis));
}

function constantAxes(axes: Value | undefined, graph: Graph): readonly number[] | undefined {
  const constant = axes && graph.constants.get(axes);
  return constant && Array.from(constant.data as ArrayLike<number | bigint>, Number);
}

function countFrom(axis: number, rank: number): number[] {
  const first = axis < 0 ? axis + rank : axis;
  return Array.from({ length: rank - first }, (_, index) => first + index);
}
