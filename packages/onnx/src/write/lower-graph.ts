import {
  type Bindings,
  decomposeNode,
  type Graph,
  GraphBuilder,
  inlineGraph,
  ModelwrightError,
  modelwrightDomain,
  type Node,
  type Value,
} from '@modelwright/core';
import { allNodes } from '../read/foreign-nodes.js';
import { isKept, isWritable } from './op-support.js';

/** A graph that can be written, and what became of the values of the original. */
export interface LoweredGraph {
  readonly graph: Graph;
  readonly follow: (value: Value) => Value | undefined;
}

const deepestNesting = 16;

/** What a file can hold. */
export interface LoweringTarget {
  readonly opset: number;
  /** Whether ops whose identity matters stay, for the file to hold them in its own way. Default false. */
  readonly keepsOps?: boolean;
}

/**
 * Replaces ops that a file cannot hold (Modelwright's own, and those that came after its opset) by simpler ones.
 *
 * @throws {@link ModelwrightError} `unsupported-op` if one of Modelwright's own ops has no simpler form.
 */
export function lowerGraph(graph: Graph, target: LoweringTarget): LoweredGraph {
  let lowered: LoweredGraph = { graph, follow: (value) => value };
  for (let depth = 0; depth < deepestNesting && needsLowering(lowered.graph, target); depth++) {
    const { follow } = lowered;
    const step = lowerOnce(lowered.graph, target);
    if (!step.changed) break;
    lowered = {
      graph: step.graph,
      follow: (value) => {
        const before = follow(value);
        return before === undefined ? undefined : step.bindings.get(before);
      },
    };
  }
  for (const node of allNodes(lowered.graph)) {
    if (node.domain === modelwrightDomain && mustGo(node, target)) refuseOwn(node);
  }
  return lowered;
}

function mustGo(node: Node, { opset, keepsOps }: LoweringTarget): boolean {
  if (keepsOps && (node.op === 'TrainingSwitch' || isKept(node, opset))) return false;
  return node.domain === modelwrightDomain || !isWritable(node, opset);
}

function needsLowering(graph: Graph, target: LoweringTarget): boolean {
  for (const node of allNodes(graph)) if (mustGo(node, target)) return true;
  return false;
}

function lowerOnce(graph: Graph, target: LoweringTarget): { graph: Graph; bindings: Bindings; changed: boolean } {
  const builder = new GraphBuilder(graph.name);
  const bindings: Bindings = new Map();
  let changed = false;
  for (const input of graph.inputs) bindings.set(input, builder.input(input.name, input.dtype, input.shape));
  // All constants, so that weights keep their names and order, and those without a reader stay.
  for (const [value, held] of graph.constants) bindings.set(value, builder.constant(held, { name: value.name }));
  const outputs = inlineGraph(builder, graph, bindings, {
    rewrite: (node, inputs, inner) => {
      const replacement = mustGo(node, target) ? decomposeNode(node, inputs, inner) : undefined;
      if (replacement !== undefined) changed = true;
      return replacement;
    },
  });
  graph.outputs.forEach(({ name }, index) => {
    const value = outputs[index];
    if (value !== undefined) builder.output(name, value);
  });
  return { graph: builder.build(), bindings, changed };
}

function refuseOwn(node: Node): never {
  throw new ModelwrightError(
    'unsupported-op',
    `${node.op} '${node.name}' is an op of Modelwright's own that has no form in ONNX's operators`,
    { op: node.op, layer: node.name },
  );
}
