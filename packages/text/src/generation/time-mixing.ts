import { type Graph, ModelwrightError, type Node, subgraphsOf, type Value } from '@modelwright/core';

/** Ops that mix places along some axis in ways that no attention cache can follow. */
const mixers: ReadonlySet<string> = new Set([
  ...['Conv', 'ConvTranspose', 'MaxPool', 'AveragePool', 'LpPool', 'MaxUnpool', 'LRN', 'Resize'],
  ...['GlobalAveragePool', 'GlobalMaxPool', 'GlobalLpPool', 'InstanceNormalization', 'GroupNormalization'],
  ...['RNN', 'LSTM', 'GRU', 'Scan', 'Loop', 'ReverseSequence', 'NonZero', 'Compress'],
]);

/** Ops that work along one axis: the places of that axis must not be times. */
const alongAxis: { readonly [op: string]: number } = {
  ...{ Softmax: -1, LogSoftmax: -1, Hardmax: -1, ArgMax: 0, ArgMin: 0, TopK: -1, LpNormalization: -1 },
  ...{ Concat: 0, Split: 0, CumSum: 0 },
};

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
  const isTime = (value: Value | undefined, axis: number): boolean =>
    typeof time === 'string' && value?.shape.at(axis) === time;
  for (const node of graph.nodes)
    if (
      node.domain === '' &&
      (mixers.has(node.op) || reducedAxes(node, graph).some((axis) => isTime(node.inputs[0], axis)))
    )
      throw new ModelwrightError(
        'unsupported-op',
        `${node.op} '${node.name}' mixes the positions of a text; to be decoded token by token, a model may do that in causal attention only`,
        { op: node.op, layer: node.name },
      );
}

function reducedAxes(node: Node, graph: Graph): readonly number[] {
  const { op, inputs, attributes } = node;
  if (subgraphsOf(node).length > 0) return [];
  const given = Number(attributes['axis'] ?? alongAxis[op] ?? -1);
  if (Object.hasOwn(alongAxis, op)) return [axisOfInput(node, graph) ?? given];
  if (fromAxis.has(op)) return countFrom(given, inputs[0]?.shape.length ?? 0);
  if (op === 'MatMul') return [-1];
  if (!op.startsWith('Reduce')) return [];
  const axes = inputs[1] && graph.constants.get(inputs[1]);
  return axes === undefined
    ? countFrom(0, inputs[0]?.shape.length ?? 0)
    : Array.from(axes.data as ArrayLike<number>, Number);
}

/** `CumSum` takes its axis as an input. */
function axisOfInput({ op, inputs }: Node, graph: Graph): number | undefined {
  const axis = op === 'CumSum' && inputs[1] ? graph.constants.get(inputs[1]) : undefined;
  return axis === undefined ? undefined : Number(axis.data[0]);
}

function countFrom(axis: number, rank: number): number[] {
  const first = axis < 0 ? axis + rank : axis;
  return Array.from({ length: rank - first }, (_, index) => first + index);
}
