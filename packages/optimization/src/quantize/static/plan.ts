import { type Graph, type Node, type Tensor, toNumbers, type Value } from '@modelwright/core';
import { weightedNodes } from '../../weighted-nodes.js';
import { quantizableWeights } from '../dynamic/plan.js';
import { type GraphUses, usesOf } from '../graph-uses.js';
import { type LayerSelection, selectorOf } from '../selection.js';

/** A node with a weight that is computed in integers. */
export interface PlannedWeight {
  readonly node: Node;
  readonly value: Value;
  readonly weight: Tensor;
  /** Axis of the weight that counts output channels. */
  readonly axis: number;
  /** Constant bias, one number an output channel. */
  readonly bias?: { readonly value: Value; readonly tensor: Tensor };
}

/** What of a graph runs in integers, and which values are rounded for it. */
export interface QuantizationPlan {
  readonly weights: ReadonlyMap<Node, PlannedWeight>;
  /** Nodes without weights that have an integer form: additions, concatenations, pooling. */
  readonly followers: ReadonlySet<Node>;
  /** Nodes that only move numbers: their results keep the scale of what they move. */
  readonly movements: ReadonlySet<Node>;
  /** Activations that become the lower and upper bound of the integers they are rounded to. */
  readonly absorbed: ReadonlySet<Node>;
  /** Values rounded where they are made: whoever reads them reads rounded numbers. */
  readonly made: ReadonlySet<Value>;
  /** Values of float nodes (or inputs) that integer nodes read; others go on reading them exactly. */
  readonly read: ReadonlySet<Value>;
  /** The value whose range each value of a movement has. */
  readonly sharing: ReadonlyMap<Value, Value>;
  /** Layers with weights that stay float, and why. */
  readonly left: readonly { readonly name: string; readonly reason: string }[];
}

export interface PlanOptions extends LayerSelection {
  /** Whether the lowest integer stands for zero where nothing is negative: then it does what `Relu` does. Default true. */
  readonly absorbsRelu?: boolean;
}

const weightedOps: ReadonlySet<string> = new Set(['Conv', 'Gemm', 'MatMul']);
const followerOps: ReadonlySet<string> = new Set([
  'Add',
  'Mul',
  'Concat',
  'AveragePool',
  'GlobalAveragePool',
  'LeakyRelu',
  'Sigmoid',
]);
const movementOps: ReadonlySet<string> = new Set([
  'MaxPool',
  'Reshape',
  'Flatten',
  'Squeeze',
  'Unsqueeze',
  'Transpose',
  'Identity',
  'Slice',
  'Pad',
  'Resize',
  'DepthToSpace',
]);

/**
 * Decides what runs in integers: selected convolutions and products with constant weights, and between them whatever has an integer
 * form, so that numbers need not become float and back.
 *
 * @throws {@link ModelwrightError} `invalid-argument` if a selected name means no such layer.
 */
export function planQuantization(graph: Graph, options: PlanOptions = {}): QuantizationPlan {
  const uses = usesOf(graph);
  const { weights, left } = plannedWeights(graph, options);
  const region = regionAfter(graph, { weights, uses, absorbsRelu: options.absorbsRelu ?? true });
  return { weights, left, ...neededPart(graph, { weights, uses, region }) };
}

function plannedWeights(
  graph: Graph,
  options: LayerSelection,
): { readonly weights: Map<Node, PlannedWeight>; readonly left: QuantizationPlan['left'] } {
  const isSelected = selectorOf(options, quantizableWeights(graph));
  const weights = new Map<Node, PlannedWeight>();
  const left: { name: string; reason: string }[] = [];
  for (const { node, value, weight, outputAxis } of weightedNodes(graph)) {
    const reason = isSelected(node, value.name) ? unfitReason(node, graph) : 'excluded';
    if (reason !== undefined) {
      left.push({ name: value.name, reason });
      continue;
    }
    const bias = node.op === 'MatMul' ? undefined : node.inputs[2];
    const tensor = bias === undefined ? undefined : graph.constants.get(bias);
    const held = bias === undefined || tensor === undefined ? {} : { bias: { value: bias, tensor } };
    weights.set(node, { node, value, weight, axis: outputAxis, ...held });
  }
  return { weights, left };
}

/** Why a node cannot be computed in integers; undefined if it can. */
function unfitReason({ op, inputs, attributes, outputs }: Node, graph: Graph): string | undefined {
  const [x, w, bias] = inputs as readonly (Value | undefined)[];
  if (!weightedOps.has(op)) return `${op} has no static integer form`;
  if (x?.dtype !== 'float32' || w?.dtype !== 'float32') return `it computes in ${x?.dtype}, not float32`;
  if (op === 'MatMul' && w.shape.length !== 2) return 'its weight is no matrix';
  if (bias !== undefined && graph.constants.get(bias)?.elementCount !== channelsOf(op, w, attributes))
    return 'its bias is no constant with one number for each channel';
  if (op === 'Gemm') {
    const { transA = 0, beta = 1, alpha = 1 } = attributes as { transA?: number; beta?: number; alpha?: number };
    if (transA !== 0 || beta !== 1 || alpha !== 1) return 'it scales or transposes what it multiplies';
  }
  return outputs.length === 1 ? undefined : 'it has several results';
}

function channelsOf(op: string, weight: Value, attributes: Node['attributes']): number {
  const axis = op === 'Conv' || attributes['transB'] === 1 ? 0 : 1;
  return weight.shape[axis] as number;
}

interface Region {
  /** Values that integer nodes give, or could give. */
  readonly values: ReadonlySet<Value>;
  readonly followers: ReadonlySet<Node>;
  readonly movements: ReadonlySet<Node>;
  readonly absorbed: ReadonlySet<Node>;
}

interface RegionRequest {
  readonly weights: ReadonlyMap<Node, PlannedWeight>;
  readonly uses: GraphUses;
  readonly absorbsRelu: boolean;
}

/** Follows the results of integer nodes as far as they can stay integers. */
function regionAfter(graph: Graph, { weights, uses, absorbsRelu }: RegionRequest): Region {
  const values = new Set<Value>();
  const region = { followers: new Set<Node>(), movements: new Set<Node>(), absorbed: new Set<Node>() };
  for (const node of graph.nodes) {
    if (node.domain !== '' || node.outputs.length !== 1) continue;
    const [x] = node.inputs;
    const isInside = x !== undefined && values.has(x);
    if (weights.has(node)) values.add(node.outputs[0] as Value);
    else if (isInside && isBound(node, graph)) {
      const producer = uses.producerOf(x);
      const follows = producer !== undefined && !region.movements.has(producer);
      if (!absorbsRelu || !follows || uses.onlyReaderOf(x) !== node) continue;
      region.absorbed.add(node);
      values.add(node.outputs[0] as Value);
    } else if (isInside && movementOps.has(node.op) && onlyMoves(node, graph)) {
      region.movements.add(node);
      values.add(node.outputs[0] as Value);
    } else if (followerOps.has(node.op) && canFollow(node, { values, weights, uses, graph })) {
      region.followers.add(node);
      values.add(node.outputs[0] as Value);
    }
  }
  return { values, ...region };
}

/** Whether all that a node gives are numbers of its input, or zeros. */
function onlyMoves({ op, inputs, attributes }: Node, graph: Graph): boolean {
  if (op === 'Resize') return attributes['mode'] === 'nearest' || attributes['mode'] === undefined;
  if (op !== 'Pad') return true;
  const fill = inputs[2] === undefined ? undefined : graph.constants.get(inputs[2]);
  const isZero = inputs[2] === undefined || (fill !== undefined && toNumbers(fill)[0] === 0);
  return isZero || (attributes['mode'] ?? 'constant') !== 'constant';
}

/** Whether all inputs of a node are rounded anyway, and one of them comes from an integer node. */
function canFollow(
  { inputs }: Node,
  { values, weights, uses, graph }: Omit<RegionRequest, 'absorbsRelu'> & { values: ReadonlySet<Value>; graph: Graph },
): boolean {
  const isRounded = (value: Value): boolean =>
    values.has(value) ||
    (!graph.constants.has(value) &&
      uses.readersOf(value).some((reader) => weights.has(reader) && reader.inputs[0] === value));
  return (
    inputs.every((input) => input !== undefined && isRounded(input)) &&
    inputs.some((input) => input !== undefined && values.has(input))
  );
}

/** Whether a node does what rounding to integers of the right range does: cut off below zero, or at both ends. */
function isBound({ op, inputs }: Node, graph: Graph): boolean {
  if (op === 'Relu') return true;
  if (op !== 'Clip') return false;
  const bounds = inputs.slice(1).map((input) => (input === undefined ? undefined : graph.constants.get(input)));
  const [low] = bounds;
  return (
    inputs.length > 1 && low !== undefined && toNumbers(low)[0] === 0 && bounds.every((each) => each !== undefined)
  );
}

type NeededPart = Pick<QuantizationPlan, 'followers' | 'movements' | 'absorbed' | 'made' | 'read' | 'sharing'>;

/** Keeps of the region what leads to an integer node: rounding what only float nodes read would lose accuracy for nothing. */
function neededPart(
  graph: Graph,
  { weights, uses, region }: { weights: ReadonlyMap<Node, PlannedWeight>; uses: GraphUses; region: Region },
): NeededPart {
  const kept = { followers: new Set<Node>(), movements: new Set<Node>(), absorbed: new Set<Node>() };
  const isKept = (node: Node): boolean =>
    weights.has(node) || kept.followers.has(node) || kept.movements.has(node) || kept.absorbed.has(node);
  // A convolution has no integer form with a float result.
  const mustRound = (node: Node): boolean => {
    const producer = uses.producerOf(node.inputs[0] as Value);
    if (producer !== undefined && region.absorbed.has(producer)) return mustRound(producer);
    return producer?.op === 'Conv' && weights.has(producer);
  };
  for (const node of [...graph.nodes].reverse()) {
    const [output] = node.outputs;
    const isNeeded = output !== undefined && uses.readersOf(output).some(isKept);
    if (region.absorbed.has(node) && (isNeeded || mustRound(node))) kept.absorbed.add(node);
    else if (!isNeeded) continue;
    else if (region.followers.has(node)) kept.followers.add(node);
    else if (region.movements.has(node)) kept.movements.add(node);
  }
  const [made, read, sharing] = [new Set<Value>(), new Set<Value>(), new Map<Value, Value>()];
  for (const node of graph.nodes) {
    if (!isKept(node)) continue;
    const [output] = node.outputs as readonly [Value];
    const activation = uses.onlyReaderOf(output);
    const isWithin = activation !== undefined && kept.absorbed.has(activation);
    const isOptional = (node.op === 'Gemm' || node.op === 'MatMul') && !uses.readersOf(output).some(isKept);
    if (!isWithin && !isOptional) made.add(output);
    if (kept.movements.has(node)) sharing.set(output, node.inputs[0] as Value);
  }
  for (const node of graph.nodes) {
    if (!isKept(node) || kept.absorbed.has(node)) continue;
    const inputs = weights.has(node) || kept.movements.has(node) ? node.inputs.slice(0, 1) : node.inputs;
    for (const input of inputs) if (input !== undefined && !made.has(input)) read.add(input);
  }
  return { ...kept, made, read, sharing };
}

/** The values whose ranges have to be known. */
export function valuesToObserve({ made, read, sharing }: QuantizationPlan): readonly Value[] {
  return [...read, ...made].filter((value) => !sharing.has(value));
}
