import {
  type Graph,
  type GraphBuilder,
  type Node,
  type OpAttributes,
  rebuildGraph,
  type Value,
} from '@modelwright/core';
import { convolveBlocked, weightGradientBlocked } from './blocked-convolution.js';

/** Whether a convolution's weight is no constant, so that the runtime cannot choose the layout by itself. */
export function hasCarriedWeights(graph: Graph): boolean {
  return graph.nodes.some((node) => node.op === 'Conv' && !graph.constants.has(node.inputs[1] as Value));
}

/** Puts convolutions with changing weights, and weight gradients, into the runtime's blocked layout where they fit it. */
export function blockConvolutions(graph: Graph, block: number): Graph {
  const rewrite = (
    node: Node,
    inputs: readonly (Value | undefined)[],
    builder: GraphBuilder,
  ): readonly Value[] | undefined => {
    const result = blockNode({ node, inputs, builder, block });
    return result === undefined ? undefined : [result];
  };
  return rebuildGraph(graph, { rewrite }).graph;
}

interface Request {
  readonly node: Node;
  readonly inputs: readonly (Value | undefined)[];
  readonly builder: GraphBuilder;
  readonly block: number;
}

function blockNode({ node, inputs, builder, block }: Request): Value | undefined {
  const [x, other, bias] = inputs as readonly [Value, Value, Value | undefined];
  const attributes = node.attributes as unknown as OpAttributes['Conv'];
  if (node.domain === '' && node.op === 'Conv' && builder.constantOf(other) === undefined) {
    return builder.scoped({ name: node.name }, () =>
      convolveBlocked({ builder, attributes, block }, { x, weight: other, bias }),
    );
  }
  // With few channels the gradient is small, and bringing `dy` into the layout costs more than one-hot columns do.
  if (node.op !== 'ConvWeightGradient' || (x.shape[1] as number) < block) return undefined;
  return builder.scoped({ name: node.name }, () => weightGradientBlocked({ builder, attributes, block }, x, other));
}
