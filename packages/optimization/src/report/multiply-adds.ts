import { type Attributes, elementCountOf, type Graph, type Node, subgraphsOf, type Value } from '@modelwright/core';

/**
 * Multiplications with an addition that one run of a graph takes in its products: convolutions, matrix products,
 * recurrent ops and attention; what works element by element does not count. Loops count as often as they run, of
 * branches the costlier one.
 *
 * @param graph - In the form it infers in, with concrete shapes.
 * @returns undefined where an extent or the number of turns of a loop is known only when it runs.
 */
export function multiplyAddsOf(graph: Graph): number | undefined {
  let total = 0;
  for (const node of graph.nodes) {
    const own = multiplyAddsOfNode(node);
    const inner = multiplyAddsInside(node, graph);
    if (own === undefined || inner === undefined) return undefined;
    total += own + inner;
  }
  return total;
}

type Rule = (node: Node) => number | undefined;

/** Each output element sums over the channels of its group and the kernel: one slice `weight[o]`. */
const convolution: Rule = ({ inputs, outputs }) =>
  product(count(outputs[0]), ratio(count(inputs[1]), extent(inputs[1], 0)));

/** Each input element meets one slice `weight[i]`. */
const transposedConvolution: Rule = ({ inputs }) =>
  product(count(inputs[0]), ratio(count(inputs[1]), extent(inputs[1], 0)));

const matrixProduct: Rule = ({ inputs, outputs }) => product(count(outputs[0]), extent(inputs[0], -1));

/** Input and recurrent weights are met once a step, by every row. */
const recurrent: Rule = ({ inputs, attributes }) => {
  const batchFirst = attributes['layout'] === 1;
  const rows = product(extent(inputs[0], batchFirst ? 1 : 0), extent(inputs[0], batchFirst ? 0 : 1));
  return product(rows, sum(count(inputs[1]), count(inputs[2])));
};

/** Scores `query · key` and their sum `weights · value`: both for all pairs of positions. */
const attention: Rule = ({ inputs, attributes }) => {
  const [query, key, value] = inputs;
  if (query?.shape.length === 4) {
    const pairs = product(product(extent(query, 0), extent(query, 1)), product(extent(query, 2), extent(key, 2)));
    return product(pairs, sum(extent(query, 3), extent(value, 3)));
  }
  const pairs = product(extent(query, 0), product(extent(query, 1), extent(key, 1)));
  const heads = ratio(numberOf(attributes, 'q_num_heads'), numberOf(attributes, 'kv_num_heads')) ?? 1;
  return product(pairs, sum(extent(query, 2), product(extent(value, 2), heads)));
};

/** The weight is packed; `N` and `K` are attributes. */
const packedMatrixProduct: Rule = ({ outputs, attributes }) => product(count(outputs[0]), numberOf(attributes, 'K'));

/** Every pair of the labels' extents is multiplied: the product of all of them. */
const einsum: Rule = ({ inputs, attributes }) => {
  const [left = ''] = String(attributes['equation']).replaceAll(' ', '').split('->');
  const extents = new Map<string, number>();
  for (const [index, term] of left.split(',').entries()) {
    if (term.includes('.')) return undefined;
    for (const [axis, label] of [...term].entries()) {
      const found = extent(inputs[index], axis);
      if (found === undefined) return undefined;
      extents.set(label, found);
    }
  }
  return inputs.length < 2 ? 0 : [...extents.values()].reduce((total, each) => total * each, 1);
};

const rules: { readonly [op: string]: Rule } = {
  Conv: convolution,
  ConvInteger: convolution,
  QLinearConv: ({ inputs, outputs }) => product(count(outputs[0]), ratio(count(inputs[3]), extent(inputs[3], 0))),
  ConvTranspose: transposedConvolution,
  Gemm: ({ inputs, outputs, attributes }) =>
    product(count(outputs[0]), extent(inputs[0], attributes['transA'] === 1 ? 0 : 1)),
  MatMul: matrixProduct,
  MatMulInteger: matrixProduct,
  QLinearMatMul: matrixProduct,
  Einsum: einsum,
  RNN: recurrent,
  LSTM: recurrent,
  GRU: recurrent,
  Attention: attention,
  'com.microsoft:DynamicQuantizeLSTM': recurrent,
  'com.microsoft:DynamicQuantizeMatMul': matrixProduct,
  'com.microsoft:FusedMatMul': matrixProduct,
  'com.microsoft:MatMulIntegerToFloat': matrixProduct,
  'com.microsoft:MatMulNBits': packedMatrixProduct,
};

function multiplyAddsOfNode(node: Node): number | undefined {
  const rule = rules[node.domain === '' ? node.op : `${node.domain}:${node.op}`];
  return rule === undefined ? 0 : rule(node);
}

function multiplyAddsInside(node: Node, graph: Graph): number | undefined {
  const bodies = subgraphsOf(node).map(({ graph: inner }) => multiplyAddsOf(inner));
  if (bodies.length === 0) return 0;
  if (bodies.some((each) => each === undefined)) return undefined;
  const costliest = Math.max(...(bodies as number[]));
  return costliest === 0 ? 0 : product(costliest, turnsOf(node, graph));
}

function turnsOf(node: Node, graph: Graph): number | undefined {
  if (node.op === 'Scan') {
    const sequences = Number(node.attributes['num_scan_inputs']);
    const axes = node.attributes['scan_input_axes'];
    const axis = Array.isArray(axes) ? Number(axes[0] ?? 0) : 0;
    return extent(node.inputs[node.inputs.length - sequences], axis);
  }
  if (node.op !== 'Loop') return 1;
  const trips = node.inputs[0] === undefined ? undefined : graph.constants.get(node.inputs[0]);
  return trips === undefined ? undefined : Number(trips.data[0]);
}

function count(value: Value | undefined): number | undefined {
  const shape = value?.shape ?? [];
  return value !== undefined && shape.every((each) => typeof each === 'number')
    ? elementCountOf(shape as readonly number[])
    : undefined;
}

function extent(value: Value | undefined, axis: number): number | undefined {
  const found = value?.shape.at(axis);
  return typeof found === 'number' ? found : undefined;
}

function numberOf(attributes: Attributes, name: string): number | undefined {
  const found = attributes[name];
  return typeof found === 'number' ? found : undefined;
}

function product(left: number | undefined, right: number | undefined): number | undefined {
  return left === undefined || right === undefined ? undefined : left * right;
}

function sum(left: number | undefined, right: number | undefined): number | undefined {
  return left === undefined || right === undefined ? undefined : left + right;
}

function ratio(left: number | undefined, right: number | undefined): number | undefined {
  return left === undefined || right === undefined || right === 0 ? undefined : left / right;
}
