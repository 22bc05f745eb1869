import { type Graph, type Node, substituteValues, type Value } from '@modelwright/core';
import { type GraphUses, usesOf } from '../quantize/graph-uses.js';
import { weightedNodes } from '../weighted-nodes.js';

/** A weighted node and the normalization that follows it, which one affine step can stand for. */
export interface NormalizedNode {
  readonly node: Node;
  readonly normalization: Node;
}

/**
 * What a model will be once it infers: dropout and the like gone, normalization part of the layers before it. Values are those of the
 * authored graph, so that what is decided on the one can be found in the other.
 */
export interface Skeleton {
  readonly graph: Graph;
  /** By the normalization's node in the authored graph. */
  readonly normalized: ReadonlyMap<Node, NormalizedNode>;
  /** The value of the skeleton that a value of the authored graph is, when the model infers. */
  readonly resolve: (value: Value) => Value;
}

/** Looks through a model's authored graph. */
export function skeletonOf(graph: Graph): Skeleton {
  const normalized = normalizedNodes(graph);
  const passed = new Map<Value, Value>();
  const nodes = graph.nodes.flatMap((node): readonly Node[] => {
    const pair = normalized.get(node);
    if (pair !== undefined) return [merged(pair)];
    if (isMerged(node, normalized)) return [];
    const [input, output] = [node.inputs[0], node.outputs[0]];
    if (!isPassing(node) || input === undefined || output === undefined) return [node];
    passed.set(output, input);
    return [];
  });
  const resolve = (value: Value): Value => {
    let current = value;
    for (let next = passed.get(current); next !== undefined; next = passed.get(current)) current = next;
    return current;
  };
  return { graph: substituteValues({ ...graph, nodes }, passed), normalized, resolve };
}

const passingOps: ReadonlySet<string> = new Set(['TrainingSwitch', 'TrackStatistic', 'StopGradient']);

function isPassing({ op, outputs }: Node): boolean {
  return passingOps.has(op) || (op === 'Dropout' && outputs.length === 1);
}

function isMerged(node: Node, normalized: ReadonlyMap<Node, NormalizedNode>): boolean {
  for (const pair of normalized.values()) if (pair.node === node) return true;
  return false;
}

/** One node with the normalization's shift for a bias. */
function merged({ node, normalization }: NormalizedNode): Node {
  const [x, weight] = node.inputs;
  return { ...node, inputs: [x, weight, normalization.inputs[2]], outputs: normalization.outputs };
}

function normalizedNodes(graph: Graph): ReadonlyMap<Node, NormalizedNode> {
  const uses = usesOf(graph);
  const weighted = new Set(weightedNodes(graph).map(({ node }) => node));
  const found = graph.nodes.flatMap((normalization): [Node, NormalizedNode][] => {
    const node = normalizedBy(normalization, graph, uses);
    return node !== undefined && weighted.has(node) ? [[normalization, { node, normalization }]] : [];
  });
  return new Map(found);
}

/** The convolution or `Gemm` whose result only `normalization` reads, where it can be folded. */
function normalizedBy(normalization: Node, graph: Graph, uses: GraphUses): Node | undefined {
  const { op, domain, inputs, outputs, attributes } = normalization;
  if (op !== 'BatchNormalization' || domain !== '' || outputs.length !== 1 || attributes['training_mode'] === 1) return;
  const [x, ...own] = inputs as readonly Value[];
  const node = x === undefined ? undefined : uses.producerOf(x);
  if (x === undefined || node === undefined || uses.onlyReaderOf(x) !== normalization) return;
  const [, weight, bias] = node.inputs;
  const isHeld = (value: Value | undefined): boolean => value !== undefined && graph.constants.has(value);
  if (!own.every(isHeld) || !isHeld(weight) || (bias !== undefined && !isHeld(bias))) return;
  if (uses.readersOf(weight as Value).length !== 1) return;
  return isFoldable(node) ? node : undefined;
}

function isFoldable({ op, domain, attributes, inputs }: Node): boolean {
  if (domain !== '') return false;
  if (op === 'Conv') return true;
  if (op !== 'Gemm') return false;
  const { alpha = 1, beta = 1 } = attributes as { alpha?: number; beta?: number };
  return alpha === 1 && (inputs[2] === undefined || (beta === 1 && inputs[2].shape.length === 1));
}
