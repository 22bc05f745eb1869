import { type Graph, modelwrightDomain, type Node, type Value, valuesReadBy } from '@modelwright/core';

/** What a value of a model depends on. `extent`: on shapes only; `position`: on positions (and extents), not on tokens. */
type Source = 'constant' | 'extent' | 'position' | 'token';

/** Which values of a graph tell positions apart without looking at tokens. */
export interface PositionFlow {
  isPositional(value: Value): boolean;
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
  const frontier = new Map<Value, Node[]>();
  for (const node of graph.nodes) {
    if (node.outputs.some(isPositional)) continue;
    for (const value of new Set(valuesReadBy(node)))
      if (isPositional(value)) frontier.set(value, [...(frontier.get(value) ?? []), node]);
  }
  return { isPositional, frontier };
}

function sourceOfNode(node: Node, sourceOf: (value: Value) => Source): Source {
  if (node.op === 'Positions' && node.domain === modelwrightDomain) return 'position';
  if (node.domain === '' && (node.op === 'Shape' || node.op === 'Size')) return 'extent';
  const read = new Set(valuesReadBy(node).map(sourceOf));
  if (read.has('token')) return 'token';
  if (read.has('position') || (node.op === 'Range' && read.has('extent'))) return 'position';
  return read.has('extent') ? 'extent' : 'constant';
}

/**
 * How many positions a model has: the length of its input where that is fixed, else the rows of the smallest table that is
 * looked up by position; undefined where it has no limit.
 */
export function contextLengthOf(graph: Graph): number | undefined {
  const limits: number[] = [];
  for (const { shape } of graph.inputs) if (typeof shape[1] === 'number') limits.push(shape[1]);
  const { isPositional } = positionFlow(graph);
  for (const { op, inputs } of graph.nodes) {
    const [table] = op === 'RotaryEmbedding' ? inputs.slice(1) : inputs;
    const index = op === 'RotaryEmbedding' ? inputs[3] : op === 'Gather' ? inputs[1] : undefined;
    if (table === undefined || index === undefined || !isPositional(index) || !graph.constants.has(table)) continue;
    limits.push(table.shape[0] as number);
  }
  return limits.length === 0 ? undefined : Math.min(...limits);
}
