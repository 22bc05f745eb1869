import {
  type Graph,
  type GraphBuilder,
  type Node,
  type Pass,
  rebuildGraph,
  removeDeadNodes,
  type Value,
  valuesReadBy,
} from '@modelwright/core';
import { kernelDomain } from '../lowering/lowering.js';
import { countUses, kernelNode } from './lower-nodes.js';

interface Made {
  readonly op: string;
  readonly inputs: readonly (Value | undefined)[];
  readonly attributes: Node['attributes'];
}

/** Puts biases into matrix products, and ReLUs into products and convolutions. */
export const fuseKernels: Pass = {
  name: 'fuseKernels',
  description: 'merges bias and ReLU into products and convolutions',
  run: (graph: Graph): Graph => {
    const uses = countUses(graph, valuesReadBy);
    const made = new Map<Value, Made>();
    const rewrite = (
      node: Node,
      inputs: readonly (Value | undefined)[],
      builder: GraphBuilder,
    ): readonly Value[] | undefined => fused({ node, inputs, builder, uses, made });
    return removeDeadNodes.run(rebuildGraph(graph, { rewrite }).graph);
  },
};

interface Request {
  readonly node: Node;
  readonly inputs: readonly (Value | undefined)[];
  readonly builder: GraphBuilder;
  readonly uses: ReadonlyMap<Value, number>;
  readonly made: Map<Value, Made>;
}

function fused(request: Request): readonly Value[] | undefined {
  const { node, inputs, builder, made } = request;
  if (node.domain === kernelDomain && node.op === 'Conv2d') {
    return [remember(made, builder, node.outputs[0] as Value, { op: node.op, inputs, attributes: node.attributes })];
  }
  if (node.domain !== '') return undefined;
  if (node.op === 'MatMul' && node.outputs[0]?.dtype === 'float32' && inputs[1]?.shape.length === 2) {
    const [result] = builder.anyNode({ ...node, inputs }, node.outputs, { nodeName: node.name });
    made.set(result as Value, { op: 'MatMul', inputs, attributes: {} });
    return [result as Value];
  }
  if (node.op === 'Add') return withBias(request);
  return node.op === 'Relu' ? withRelu(request) : undefined;
}

function remember(made: Map<Value, Made>, builder: GraphBuilder, output: Value, node: Made): Value {
  const value = kernelNode(builder, { ...node, shape: output.shape });
  made.set(value, node);
  return value;
}

function withBias({ node, inputs, builder, uses, made }: Request): readonly Value[] | undefined {
  for (const [index, other] of [
    [0, 1],
    [1, 0],
  ] as const) {
    const product = made.get(inputs[index] as Value);
    const bias = inputs[other] as Value;
    if (product?.op !== 'MatMul' || uses.get(node.inputs[index] as Value) !== 1) continue;
    const columns = product.inputs[1]?.shape[1];
    // The wasm kernel looks at the rank that the bias was stored with; one row of something wider is not for it.
    const isRow = bias.shape.length === 1 && bias.shape[0] === columns;
    if (!isRow || (product.inputs[0]?.shape.length ?? 0) < 2) continue;
    const merged = { op: 'FusedMatMul', inputs: [...product.inputs, bias], attributes: {} };
    return [remember(made, builder, node.outputs[0] as Value, merged)];
  }
  return undefined;
}

function withRelu({ node, inputs, builder, uses, made }: Request): readonly Value[] | undefined {
  const before = made.get(inputs[0] as Value);
  if (before === undefined || before.op === 'MatMul' || uses.get(node.inputs[0] as Value) !== 1) return undefined;
  const attributes = { ...before.attributes, activation: 'relu' };
  return [kernelNode(builder, { ...before, attributes, shape: (node.outputs[0] as Value).shape })];
}
