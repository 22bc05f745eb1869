import type { Graph, Node, Tensor, Value } from '@modelwright/core';
import { weightedNodes } from '../../weighted-nodes.js';
import { type GraphUses, usesOf } from '../graph-uses.js';
import { type LayerSelection, type Selector, selectorOf } from '../selection.js';

/** How a node reads a weight. */
export interface WeightUse {
  readonly node: Node;
  /** Position of the weight among the node's inputs. */
  readonly input: number;
  /** The constant. */
  readonly value: Value;
  readonly weight: Tensor;
  /** Axis of the constant with a scale for each place. */
  readonly axis: number;
  /** Whether the node reads it through a `Transpose` that swaps its two axes: embeddings that also are the output layer. */
  readonly isTransposed: boolean;
}

/** The weights that become integers, by node, and those that stay float. */
export interface DynamicPlan {
  readonly uses: ReadonlyMap<Node, readonly WeightUse[]>;
  /** Their constants. */
  readonly values: ReadonlySet<Value>;
  readonly left: readonly { readonly name: string; readonly reason: string }[];
}

const recurrentOps: ReadonlySet<string> = new Set(['LSTM', 'GRU', 'RNN']);

/**
 * Decides which weights become integers: those of products, embeddings and recurrent ops, where all that reads them can read integers.
 *
 * @throws {@link ModelwrightError} `invalid-argument` if a selected name means no such layer.
 */
export function planDynamic(graph: Graph, selection: LayerSelection): DynamicPlan {
  return planSelected(graph, selectorOf(selection, quantizableWeights(graph)));
}

/** Every place where a graph reads a weight that could become integers. */
function weightUses(graph: Graph): readonly WeightUse[] {
  return [...directUses(graph), ...transposedUses(graph, usesOf(graph))];
}

/** The nodes that a user may select by name, with the names of their weights. */
export function quantizableWeights(graph: Graph): readonly { readonly node: Node; readonly weight: string }[] {
  return weightUses(graph).map(({ node, value }) => ({ node, weight: value.name }));
}

/** As {@link planDynamic}, of the nodes that `isSelected` names. */
export function planSelected(graph: Graph, isSelected: Selector): DynamicPlan {
  const graphUses = usesOf(graph);
  const all = weightUses(graph);
  const left = new Map<string, string>();
  const fits = (use: WeightUse): boolean => {
    const reason = isSelected(use.node, use.value.name) ? unfitReason(use) : 'excluded';
    if (reason !== undefined) left.set(use.value.name, reason);
    return reason === undefined;
  };
  const fitting = all.filter(fits);
  const uses = new Map<Node, readonly WeightUse[]>();
  const values = new Set<Value>();
  for (const use of fitting) {
    if (!isReadByThese(use.value, fitting, graphUses)) {
      left.set(use.value.name, 'something else reads it as float');
      continue;
    }
    uses.set(use.node, [...(uses.get(use.node) ?? []), use]);
    values.add(use.value);
  }
  return { uses, values, left: [...left].map(([name, reason]) => ({ name, reason })) };
}

function directUses(graph: Graph): readonly WeightUse[] {
  return weightedNodes(graph)
    .filter(({ node }) => node.op !== 'ConvTranspose')
    .map(({ node, input, value, weight, outputAxis, inputAxis }) => {
      // Each word of an embedding has a scale of its own.
      const axis = node.op === 'Gather' ? inputAxis : outputAxis;
      return { node, input, value, weight, axis, isTransposed: false };
    });
}

function transposedUses(graph: Graph, { producerOf }: GraphUses): readonly WeightUse[] {
  return graph.nodes.flatMap((node) => {
    const right = node.op === 'MatMul' && node.domain === '' ? node.inputs[1] : undefined;
    const transpose = right === undefined ? undefined : producerOf(right);
    const value = transpose?.op === 'Transpose' ? transpose.inputs[0] : undefined;
    const weight = value === undefined ? undefined : graph.constants.get(value);
    if (value === undefined || weight === undefined || weight.rank !== 2) return [];
    return [{ node, input: 1, value, weight, axis: 0, isTransposed: true }];
  });
}

function isReadByThese(value: Value, uses: readonly WeightUse[], { readersOf, isOutput }: GraphUses): boolean {
  const own = uses.filter((use) => use.value === value);
  const axes = new Set(own.map(({ axis }) => axis));
  const reads = (node: Node): boolean =>
    own.some(
      (use) =>
        use.node === node ||
        (use.isTransposed &&
          node.outputs[0] === use.node.inputs[1] &&
          readersOf(node.outputs[0] as Value).length === 1),
    );
  return axes.size === 1 && !isOutput(value) && readersOf(value).every(reads);
}

function unfitReason({ node, weight, input }: WeightUse): string | undefined {
  const { op, attributes, inputs } = node;
  if (weight.dtype !== 'float32') return `it is ${weight.dtype}`;
  if (op === 'Conv') return 'convolutions have no dynamic form that is faster; use static quantization';
  if (op === 'MatMul' && weight.rank !== 2) return 'it is no matrix';
  if (op === 'Gather' && weight.rank !== 2) return 'it is no matrix';
  if (op === 'Gemm' && (attributes['transA'] ?? 0) !== 0) return 'its input is transposed';
  if (op !== 'Gather' && inputs[0]?.dtype !== 'float32') return `it multiplies ${inputs[0]?.dtype}`;
  return recurrentOps.has(op) && input !== 1 && input !== 2 ? 'it is no weight of a gate' : undefined;
}
