import {
  type Graph,
  type GraphBuilder,
  Tensor as HostTensor,
  type Node,
  type Tensor,
  toNumbers,
  type Value,
} from '@modelwright/core';
import { type GraphUses, usesOf } from '../graph-uses.js';
import { replaceNodes } from '../replace-nodes.js';

/** `x·factor + offset` with a number for each channel, as two nodes. */
interface Affine {
  readonly x: Value;
  readonly factor: { readonly value: Value; readonly tensor: Tensor };
  readonly offset: { readonly value: Value; readonly tensor: Tensor };
  readonly multiply: Node;
}

/**
 * Writes what is left of batch normalization between other layers, a product and a sum for each channel, as a convolution that
 * looks at one place of one channel: then a channel has a scale of its own, and integers need not become float there.
 */
export function affineAsConvolution(graph: Graph): Graph {
  const uses = usesOf(graph);
  const affines = new Map<Node, Affine>();
  for (const node of graph.nodes) {
    const found = affineOf(node, graph, uses);
    if (found !== undefined) affines.set(node, found);
  }
  if (affines.size === 0) return graph;
  const products = new Set([...affines.values()].map(({ multiply }) => multiply));
  const constants = [...affines.values()].flatMap(({ factor, offset }) => [factor.value, offset.value]);
  const free = constants.filter((value) =>
    uses.readersOf(value).every((node) => affines.has(node) || products.has(node)),
  );
  return replaceNodes(graph, free, (builder) => {
    const inputs = new Map<Node, Value>();
    return (node, mapped) => {
      if (products.has(node)) {
        const at = node.inputs.findIndex((input) => input !== undefined && !graph.constants.has(input));
        inputs.set(node, mapped[at] as Value);
        return [];
      }
      const affine = affines.get(node);
      return affine && [convolution(affine, { node, builder, x: inputs.get(affine.multiply) as Value })];
    };
  });
}

function convolution(
  { factor, offset }: Affine,
  { node, builder, x }: { node: Node; builder: GraphBuilder; x: Value },
): Value {
  const channels = factor.tensor.elementCount;
  const vector = (tensor: Tensor, shape: readonly number[]): Tensor =>
    new HostTensor('float32', shape, Float32Array.from(toNumbers(tensor)));
  const weight = builder.constant(vector(factor.tensor, [channels, 1, 1, 1]), { name: factor.value.name });
  const bias = builder.constant(vector(offset.tensor, [channels]), { name: offset.value.name });
  const attributes = { group: channels, kernel_shape: [1, 1] };
  const [output] = node.outputs;
  const named = output === undefined ? {} : { name: output.name };
  return builder.op('Conv', [x, weight, bias], attributes, { nodeName: `${node.name}/Conv`, ...named });
}

function affineOf(add: Node, graph: Graph, { producerOf, onlyReaderOf }: GraphUses): Affine | undefined {
  const sum = withConstant(add, 'Add', graph);
  const multiply = sum === undefined ? undefined : producerOf(sum.x);
  if (sum === undefined || multiply === undefined || onlyReaderOf(sum.x) !== add) return undefined;
  const product = withConstant(multiply, 'Mul', graph);
  if (product === undefined || graph.inputs.includes(product.x)) return undefined;
  return { x: product.x, factor: product.constant, offset: sum.constant, multiply };
}

/** What a node adds to, or multiplies, with one constant number for each channel of an image. */
function withConstant(
  node: Node,
  op: string,
  graph: Graph,
): { readonly x: Value; readonly constant: Affine['factor'] } | undefined {
  if (node.op !== op || node.domain !== '' || node.inputs.length !== 2) return undefined;
  const at = node.inputs.findIndex((input) => input !== undefined && graph.constants.has(input));
  const [value, x] = [node.inputs[at], node.inputs[1 - at]];
  const tensor = value === undefined ? undefined : graph.constants.get(value);
  if (at < 0 || value === undefined || x === undefined || tensor === undefined) return undefined;
  const channels = x.shape[1];
  const isImage = x.shape.length === 4 && x.dtype === 'float32' && typeof channels === 'number';
  const shape = tensor.shape.length === 4 ? tensor.shape.slice(1) : tensor.shape;
  const isForChannels = shape.length === 3 && shape[0] === channels && shape[1] === 1 && shape[2] === 1;
  return isImage && isForChannels && (tensor.shape.length < 4 || tensor.shape[0] === 1)
    ? { x, constant: { value, tensor } }
    : undefined;
}
