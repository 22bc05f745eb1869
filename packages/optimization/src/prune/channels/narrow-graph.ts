import {
  type Attributes,
  type Graph,
  type GraphBuilder,
  type Node,
  type Rebuilt,
  rebuildGraph,
  Tensor,
  tensor,
  type Value,
  verify,
} from '@modelwright/core';
import type { ChannelLabels } from './channel-labels.js';
import { fromFront, heldNumbers } from './link-context.js';
import { padsBefore, slicedAxes } from './link-movement.js';

/** The channels that go. */
export interface Removal {
  readonly labels: ChannelLabels;
  /** Their labels. */
  readonly roots: ReadonlySet<number>;
}

/** Positions along an axis that stay; undefined when all do. */
export function keptPositions({ labels, roots }: Removal, value: Value, axis: number): readonly number[] | undefined {
  const all = labels.of(value, axis);
  const kept: number[] = [];
  all.forEach((label, index) => {
    if (!roots.has(labels.root(label))) kept.push(index);
  });
  return kept.length === all.length ? undefined : kept;
}

/** The graph without the channels that go: smaller constants, and attributes and shapes that follow. Names stay. */
export function narrowGraph(graph: Graph, removal: Removal): Rebuilt {
  const constants = new Map(
    [...graph.constants].map(([value, held]) => [value, narrowTensor(value, held, removal)] as const),
  );
  const names = new FreshNames(graph);
  const rebuilt = rebuildGraph(
    { ...graph, constants },
    {
      rewrite: (node, inputs, builder) => {
        const changed = narrowNode({ node, inputs, builder, graph, removal, names });
        if (changed === undefined) return undefined;
        const outputNames = node.outputs.map(({ name }) => name);
        return builder.anyNode({ ...node, ...changed }, node.outputs, { nodeName: node.name, outputNames });
      },
    },
  );
  verify(rebuilt.graph, 'after channels were removed');
  return rebuilt;
}

function narrowTensor(value: Value, held: Tensor, removal: Removal): Tensor {
  return held.shape.reduce((narrowed, _, axis) => {
    const kept = keptPositions(removal, value, axis);
    return kept === undefined ? narrowed : takePositions(narrowed, axis, kept);
  }, held);
}

/** The slices of a tensor at `positions` along `axis`. */
export function takePositions(source: Tensor, axis: number, positions: readonly number[]): Tensor {
  const inner = source.shape.slice(axis + 1).reduce((product, extent) => product * extent, 1);
  const outer = source.shape.slice(0, axis).reduce((product, extent) => product * extent, 1);
  const extent = source.shape[axis] as number;
  const from = source.data as Float32Array;
  const shape = source.shape.map((each, at) => (at === axis ? positions.length : each));
  const count = outer * positions.length * inner;
  const data = (Array.isArray(from) ? new Array(count) : new (from.constructor as Float32ArrayConstructor)(count)) as
    | Float32Array
    | string[];
  let to = 0;
  for (let block = 0; block < outer; block++) {
    for (const position of positions) {
      const start = (block * extent + position) * inner;
      for (let at = 0; at < inner; at++) data[to++] = from[start + at] as never;
    }
  }
  return new Tensor(source.dtype, shape, data as never);
}

interface NarrowRequest {
  readonly node: Node;
  readonly inputs: readonly (Value | undefined)[];
  readonly builder: GraphBuilder;
  /** The graph as it was. */
  readonly graph: Graph;
  readonly removal: Removal;
  readonly names: FreshNames;
}

interface Change {
  readonly inputs: readonly (Value | undefined)[];
  readonly attributes: Attributes;
}

/** What becomes of a node whose attributes or shapes name extents; undefined when it can be copied. */
function narrowNode(request: NarrowRequest): Change | undefined {
  const { node, inputs, removal } = request;
  if (node.domain !== '') return undefined;
  const changesOf = (value: Value | undefined): boolean =>
    value?.shape.some((_, axis) => keptPositions(removal, value, axis) !== undefined) ?? false;
  if (![...node.inputs, ...node.outputs].some(changesOf)) return undefined;
  const { attributes } = node;
  const share = (name: string, value: Value | undefined, axis: number): Attributes => ({
    [name]: Math.round(((attributes[name] as number) * count(removal, value, axis)) / (value?.shape[axis] as number)),
  });
  const [x, y] = [node.inputs[0], node.outputs[0]];
  switch (node.op) {
    case 'Conv':
    case 'ConvTranspose':
      return wholeGroups(request) ? { inputs, attributes: { ...attributes, ...share('group', x, 1) } } : undefined;
    case 'GroupNormalization':
      return wholeGroups(request) ? { inputs, attributes: { ...attributes, ...share('num_groups', x, 1) } } : undefined;
    case 'Attention':
      if (x?.shape.length !== 3) return undefined;
      return {
        inputs,
        attributes: { ...attributes, ...share('q_num_heads', x, 2), ...share('kv_num_heads', node.inputs[1], 2) },
      };
    case 'RotaryEmbedding':
      return x?.shape.length === 3 ? { inputs, attributes: { ...attributes, ...share('num_heads', x, 2) } } : undefined;
    case 'RNN':
    case 'LSTM':
    case 'GRU':
      return { inputs, attributes: { ...attributes, hidden_size: count(removal, node.inputs[2], 2) } };
    case 'Reshape':
    case 'Expand':
      return changesOf(y) ? narrowTarget(request) : undefined;
    case 'Split':
      return narrowSplit(request);
    case 'Slice':
      return changesOf(x) ? narrowSlice(request) : undefined;
    case 'Pad':
      return narrowPad(request);
    case 'Resize':
      return narrowSizes(request);
    default:
      return undefined;
  }
}

function wholeGroups({ node, removal }: NarrowRequest): boolean {
  return removal.labels.groupModes.get(node) === 'whole';
}

/** How long an axis becomes. */
function count(removal: Removal, value: Value | undefined, axis: number): number {
  if (value === undefined) return 0;
  return keptPositions(removal, value, axis)?.length ?? (value.shape[axis] as number);
}

function integers({ builder, node, names }: NarrowRequest, what: string, values: readonly number[]): Value {
  const name = names.fresh(`${node.name}/${what}`);
  return builder.constant(tensor([...values], { dtype: 'int64', shape: [values.length] }), { name });
}

/** The shape that `Reshape` or `Expand` is asked for. */
function narrowTarget(request: NarrowRequest): Change | undefined {
  const { node, inputs, builder, removal, graph, names } = request;
  const [, target] = node.inputs;
  const y = node.outputs[0] as Value;
  const offset = y.shape.length - Number(target?.shape[0] ?? 0);
  const now = inputs[1] as Value;
  const wanted = y.shape.map((extent, axis) => (typeof extent === 'number' ? count(removal, y, axis) : extent));
  const held = heldNumbers({ graph }, target);
  if (held !== undefined) {
    // 1, 0 and −1 say: as it is, or what is left.
    const values = held.map((extent, index) =>
      extent === y.shape[index + offset] ? (wanted[index + offset] as number) : extent,
    );
    return { inputs: [inputs[0], integers(request, 'shape', values)], attributes: node.attributes };
  }
  const known = builder.known.of(now);
  if (known?.every((extent, index) => extent === wanted[index + offset] || typeof wanted[index + offset] === 'string'))
    return undefined;
  const parts = wanted.slice(offset).map((extent, index) => {
    if (typeof extent === 'number') return integers(request, 'extent', [extent]);
    const at = integers(request, 'axis', [index]);
    return builder.op('Gather', [now, at], { axis: 0 }, { nodeName: names.fresh(`${node.name}/Gather`) });
  });
  const shape = builder.op('Concat', parts, { axis: 0 }, { nodeName: names.fresh(`${node.name}/Concat`) });
  return { inputs: [inputs[0], shape], attributes: node.attributes };
}

function narrowSplit(request: NarrowRequest): Change | undefined {
  const { node, inputs, removal } = request;
  const [x] = node.inputs;
  const axis = fromFront((node.attributes['axis'] as number | undefined) ?? 0, x?.shape.length ?? 0);
  if (x === undefined || keptPositions(removal, x, axis) === undefined) return undefined;
  const sizes = node.outputs.map((output) => count(removal, output, axis));
  const { num_outputs: _, ...attributes } = node.attributes;
  return { inputs: [inputs[0], integers(request, 'split', sizes)], attributes };
}

function narrowSlice(request: NarrowRequest): Change | undefined {
  const { node, inputs, removal, graph } = request;
  const [x, y] = [node.inputs[0] as Value, node.outputs[0] as Value];
  const [starts, ends] = [1, 2].map((index) => heldNumbers({ graph }, node.inputs[index]));
  const axes = slicedAxes(node, { graph });
  if (axes === undefined || starts === undefined || ends === undefined) return undefined;
  for (const [index, { axis, start }] of axes.entries()) {
    const kept = keptPositions(removal, x, axis);
    if (kept === undefined || start === undefined) continue;
    starts[index] = kept.filter((position) => position < start).length;
    ends[index] = starts[index] + count(removal, y, axis);
  }
  const [changedStarts, changedEnds] = [integers(request, 'starts', starts), integers(request, 'ends', ends)];
  return { inputs: [inputs[0], changedStarts, changedEnds, ...inputs.slice(3)], attributes: node.attributes };
}

function narrowPad(request: NarrowRequest): Change | undefined {
  const { node, inputs, removal, graph } = request;
  const [x, y] = [node.inputs[0] as Value, node.outputs[0] as Value];
  const pads = heldNumbers({ graph }, node.inputs[1]);
  const before = padsBefore(node, { graph });
  if (pads === undefined || before === undefined) return undefined;
  const rank = x.shape.length;
  const axes = (heldNumbers({ graph }, node.inputs[3]) ?? x.shape.map((_, axis) => axis)).map((axis) =>
    fromFront(axis, rank),
  );
  for (const [index, axis] of axes.entries()) {
    const kept = keptPositions(removal, y, axis);
    if (kept === undefined) continue;
    const [start, end] = [before[axis] as number, (before[axis] as number) + (x.shape[axis] as number)];
    pads[index] = kept.filter((position) => position < start).length;
    pads[index + axes.length] = kept.filter((position) => position >= end).length;
  }
  return { inputs: [inputs[0], integers(request, 'pads', pads), ...inputs.slice(2)], attributes: node.attributes };
}

function narrowSizes(request: NarrowRequest): Change | undefined {
  const { node, inputs, removal, graph } = request;
  const y = node.outputs[0] as Value;
  const sizes = heldNumbers({ graph }, node.inputs[3]);
  if (sizes === undefined || sizes.length === 0) return undefined;
  const axes = (node.attributes['axes'] as readonly number[] | undefined) ?? y.shape.map((_, axis) => axis);
  const values = sizes.map((each, index) => {
    const axis = fromFront(axes[index] ?? index, y.shape.length);
    return keptPositions(removal, y, axis)?.length ?? each;
  });
  return { inputs: [...inputs.slice(0, 3), integers(request, 'sizes', values)], attributes: node.attributes };
}

/** Names that nothing of the old graph has, so that all of it keeps its own. */
export class FreshNames {
  readonly #taken: Set<string>;

  constructor(graph: Graph) {
    this.#taken = new Set([
      ...graph.inputs.map(({ name }) => name),
      ...[...graph.constants.keys()].map(({ name }) => name),
      ...graph.nodes.flatMap(({ name, outputs }) => [name, ...outputs.map((output) => output.name)]),
    ]);
  }

  fresh(wanted: string): string {
    let name = wanted;
    for (let count = 1; this.#taken.has(name); count++) name = `${wanted}_${count}`;
    this.#taken.add(name);
    return name;
  }
}
