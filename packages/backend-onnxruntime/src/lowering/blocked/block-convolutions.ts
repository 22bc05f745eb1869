import {
  type Graph,
  type GraphBuilder,
  type Node,
  type OpAttributes,
  rebuildGraph,
  toNumbers,
  type Value,
  valuesReadBy,
} from '@modelwright/core';
import { inputGradientConvolution } from '../convolution-gradient.js';
import { isTiling } from '../pooling.js';
import { convolveBlocked, weightGradientBlocked } from './blocked-convolution.js';
import { maxPoolBlocked, maxPoolGradientBlocked, sumOfChannels } from './blocked-pooling.js';
import { BlockedValues } from './blocked-values.js';

/** Whether a convolution's weight changes from run to run, so that the runtime cannot choose the layout by itself. */
export function hasCarriedWeights(graph: Graph): boolean {
  const fixed = fixedValues(graph);
  return graph.nodes.some((node) => node.op === 'Conv' && !fixed.has(node.inputs[1] as Value));
}

/** What is the same in every run: constants, and what is computed from them alone, such as quantized weights. */
function fixedValues(graph: Graph): ReadonlySet<Value> {
  const fixed = new Set(graph.constants.keys());
  for (const node of graph.nodes) {
    const read = valuesReadBy(node);
    if (read.length > 0 && read.every((value) => fixed.has(value)))
      for (const output of node.outputs) fixed.add(output);
  }
  return fixed;
}

/**
 * Puts convolutions with changing weights, and their gradients, into the runtime's blocked layout where they fit it, and what stands between
 * them: activations are rectified and pooled there, and gradients on their way back.
 */
export function blockConvolutions(graph: Graph, block: number): Graph {
  const fixed = fixedValues(graph);
  let context: Context | undefined;
  const rewrite = (
    node: Node,
    inputs: readonly (Value | undefined)[],
    builder: GraphBuilder,
  ): readonly Value[] | undefined => {
    context ??= { builder, block, fixed, values: new BlockedValues(builder) };
    // Bodies of control flow are left alone: what is blocked outside is plain to them.
    if (builder !== context.builder) return undefined;
    const result = blockNode(node, inputs, context);
    return result === undefined ? undefined : [result];
  };
  return rebuildGraph(graph, { rewrite }).graph;
}

interface Context {
  readonly builder: GraphBuilder;
  readonly block: number;
  /** Values of the graph before this pass that no run changes. */
  readonly fixed: ReadonlySet<Value>;
  readonly values: BlockedValues;
}

type Rule = (node: Node, inputs: readonly Value[], context: Context) => Value | undefined;

function blockNode(node: Node, inputs: readonly (Value | undefined)[], context: Context): Value | undefined {
  const rule = rules[node.op];
  if (rule === undefined || node.outputs.length !== 1) return undefined;
  return context.builder.scoped({ name: node.name }, () => rule(node, inputs as readonly Value[], context));
}

const rules: { readonly [op: string]: Rule | undefined } = {
  Conv: ({ attributes, inputs: [, before] }, [x, weight, bias], context) => {
    if (context.fixed.has(before as Value)) return undefined;
    const request = { ...context, attributes: attributes as unknown as OpAttributes['Conv'] };
    return convolveBlocked(request, { x: x as Value, weight: weight as Value, bias });
  },
  ConvInputGradient: ({ attributes }, [dy, weight], { builder, block, values }) => {
    const given = attributes as unknown as OpAttributes['ConvInputGradient'];
    const form = inputGradientConvolution(builder, weight as Value, given);
    if (form === undefined) return undefined;
    return convolveBlocked(
      { builder, block, values, attributes: form.attributes },
      { x: dy as Value, weight: form.weight },
    );
  },
  ConvWeightGradient: ({ attributes }, [x, dy], context) => {
    // With few channels the gradient is small, and bringing `dy` into the layout costs more than one-hot columns do.
    if (((x as Value).shape[1] as number) < context.block) return undefined;
    const request = { ...context, attributes: attributes as unknown as OpAttributes['ConvWeightGradient'] };
    return weightGradientBlocked(request, x as Value, dy as Value);
  },
  Relu: (_, [x], { builder, values }) => {
    const blocked = values.made(x);
    return blocked && values.plain(builder.op('Relu', [blocked]));
  },
  ReluGradient: (_, [dy, y], { builder, values }) => {
    const blocked = values.made(y);
    return blocked && values.plain(builder.op('ReluGradient', [values.blocked(dy as Value), blocked]));
  },
  MaxPool: ({ attributes }, [x], { builder, values }) => {
    const given = attributes as unknown as OpAttributes['MaxPoolGradient'];
    const blocked = values.made(x);
    if (blocked === undefined || !isTiling(given, blocked.shape)) return undefined;
    return values.plain(maxPoolBlocked({ builder, attributes: given }, blocked));
  },
  MaxPoolGradient: ({ attributes }, [x, y, dy], { builder, block, values }) => {
    const given = attributes as unknown as OpAttributes['MaxPoolGradient'];
    const [source, pooled] = [values.made(x), values.made(y)];
    if (source === undefined || pooled === undefined || !isTiling(given, source.shape)) return undefined;
    const pooling = { builder, attributes: given, block };
    return values.plain(maxPoolGradientBlocked(pooling, source, pooled, values.blocked(dy as Value)));
  },
  // The gradient of a bias.
  ReduceSum: ({ attributes }, [x, axes], { builder, block, values }) => {
    const blocked = values.made(x);
    const held = axes === undefined ? undefined : builder.constantOf(axes);
    if (blocked === undefined || held === undefined || attributes['keepdims'] !== 0) return undefined;
    return String(toNumbers(held)) === '0,2,3' ? sumOfChannels({ builder, block }, blocked) : undefined;
  },
};
