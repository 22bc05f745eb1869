import { type Graph, modelwrightDomain, type Node, type Value, valuesReadBy } from '@modelwright/core';

/** What a value of a model depends on. `extent`: on shapes only; `position`: on positions (and extents), not on tokens. */
type Source = 'constant' | 'extent' | 'position' | 'token';

/** Which values of a graph tell positions apart without looking at tokens. */
export interface PositionFlow {
  isPositional(value: Value): boolean;
  /** Whether a value depends on constants alone: a weight, or what is made of one, such as a quantized table made float. */
  isConstant(value: Value): boolean;
  /** Positional values that others read, each with the nodes that read it. */
  readonly frontier: ReadonlyMap<Value, readonly Node[]>;
}

/**
 * Follows positions through a graph: from `Positions`, and from `Range` up to an extent, as other tools write it, to where
 * they meet what depends on tokens.
 */
export function positionFlow(graph: Graph): PositionFlow {
  const sources = new Map<Value, Source>(graph.inputs.map((input) => [input, 'token']));
  const sourceOf = (value: Value): Source => sources.get(value) ?? 'constant';
  for (const node of graph.nodes) {
    const source = sourceOfNode(node, sourceOf);
    for (const output of node.outputs) sources.set(output, source);
  }
  const isPositional = (value: Value): boolean => sourceOf(value) === 'position';
  const isConstant = (value: Value): boolean => sourceOf(value) === 'constant';
  const frontier = new Map<Value, Node[]>();
  for (const node of graph.nodes) {
    if (node.outputs.some(isPositional)) continue;
    for (const value of new Set(valuesReadBy(node)))
      if (isPositional(value)) frontier.set(value, [...(frontier.get(value) ?? []), node]);
  }
  return { isPositional, isConstant, frontier };
}

function sourceOfNode(node: Node, sourceOf: (value: Value) => Source): Source {
  if (node.op === 'Positions' && node.domain === modelwrightDomain) return 'position';
  if (node.domain === '' && (node.op === 'Shape' || node.op === 'Size')) return 'extent';
  const read = new Set(valuesReadBy(node).map(sourceOf));
  if (read.has('token')) return 'token';
  if (read.has('position') || (node.op === 'Range' && read.has('extent'))) return 'position';
  return read.has('extent') ? 'extent' : 'constant';
}

/** Ops that pick rows of a table; ONNX Runtime has one for quantized tables. */
const lookups: ReadonlySet<string> = new Set(['Gather', 'GatherBlockQuantized']);

/**
 * How many positions a model has: the length of its input where that is fixed, else the rows of the smallest table that is
 * looked up by position; undefined where it has no limit.
 */
export function contextLengthOf(graph: Graph): number | undefined {
  const limits: number[] = [];
  for (const { shape } of graph.inputs) if (typeof shape[1] === 'number') limits.push(shape[1]);
  const { isPositional, isConstant } = positionFlow(graph);
  for (const { op, inputs } of graph.nodes) {
    const [table] = op === 'RotaryEmbedding' ? inputs.slice(1) : inputs;
    const index = op === 'RotaryEmbedding' ? inputs[3] : lookups.has(op) ? inputs[1] : undefined;
    if (table === undefined || index === undefined || !isPositional(index) || !isConstant(table)) continue;
    const [rows] = table.shape;
    if (typeof rows === 'number') limits.push(rows);
  }
  return limits.length === 0 ? undefined : Math.min(...limits);
}
