import {
  dtypeFacts,
  elementCountOf,
  type Graph,
  subgraphsOf,
  type Tensor,
  type Value,
  valuesReadBy,
} from '@modelwright/core';

/** What of a graph's values is in memory at once. */
export interface PeakMemory {
  /** All constants. */
  readonly constantBytes: number;
  /** Most bytes of inputs, outputs and values between nodes that are needed at the same time. */
  readonly activationBytes: number;
}

/**
 * The least memory in which a graph runs node by node in its order: constants, and at the worst moment all values that
 * are still to be read. A runtime takes more (its code, copies in layouts of its own) or less (fused nodes).
 *
 * @returns undefined where an extent is known only when the graph runs.
 */
export function peakMemoryOf(graph: Graph): PeakMemory | undefined {
  const lastUse = lastUses(graph);
  const dying = new Map<number, Value[]>();
  for (const [value, at] of lastUse) dying.set(at, [...(dying.get(at) ?? []), value]);
  let live = sumBytes(graph.inputs);
  let peak = live;
  for (const [at, node] of graph.nodes.entries()) {
    const inner = subgraphsOf(node).map(({ graph: body }) => peakMemoryOf(body)?.activationBytes);
    const own = views.has(node.op) ? 0 : sumBytes(node.outputs);
    if (own === undefined || live === undefined || inner.some((each) => each === undefined)) return undefined;
    live += own;
    peak = Math.max(peak ?? 0, live + Math.max(0, ...(inner as number[])));
    for (const value of dying.get(at) ?? []) live -= bytesOf(value) ?? 0;
  }
  return peak === undefined ? undefined : { constantBytes: constantBytesOf(graph), activationBytes: peak };
}

/** Ops whose result is their input's memory under another shape. */
const views: ReadonlySet<string> = new Set(['Reshape', 'Flatten', 'Identity', 'Squeeze', 'Unsqueeze']);

/** The number of the node that reads each buffer last; what the graph gives out lives to the end. */
function lastUses(graph: Graph): ReadonlyMap<Value, number> {
  const buffer = new Map<Value, Value>();
  const rootOf = (value: Value): Value => buffer.get(value) ?? value;
  const last = new Map<Value, number>();
  const owned = new Set<Value>(graph.inputs);
  for (const [at, node] of graph.nodes.entries()) {
    for (const value of valuesReadBy(node)) if (owned.has(rootOf(value))) last.set(rootOf(value), at);
    for (const output of node.outputs) {
      const [source] = node.inputs;
      if (views.has(node.op) && source !== undefined) buffer.set(output, rootOf(source));
      else {
        owned.add(output);
        last.set(output, at);
      }
    }
  }
  for (const { value } of graph.outputs) last.delete(rootOf(value));
  return last;
}

function sumBytes(values: readonly Value[]): number | undefined {
  let total = 0;
  for (const value of values) {
    const bytes = bytesOf(value);
    if (bytes === undefined) return undefined;
    total += bytes;
  }
  return total;
}

function bytesOf({ dtype, shape }: Value): number | undefined {
  if (!shape.every((extent) => typeof extent === 'number')) return undefined;
  return Math.ceil((elementCountOf(shape as readonly number[]) * dtypeFacts[dtype].bits) / 8);
}

function constantBytesOf(graph: Graph): number {
  const bytes = ({ dtype, elementCount }: Tensor): number => Math.ceil((elementCount * dtypeFacts[dtype].bits) / 8);
  const own = [...graph.constants.values()].reduce((sum, tensor) => sum + bytes(tensor), 0);
  const inner = graph.nodes.flatMap((node) => subgraphsOf(node).map(({ graph: body }) => constantBytesOf(body)));
  return own + inner.reduce((sum, each) => sum + each, 0);
}
