import {
  castTensor,
  type Graph,
  type GraphBuilder,
  type Model,
  type Node,
  rebuildGraph,
  Tensor,
  type Value,
} from '@modelwright/core';
import { withGraph } from '../../with-graph.js';
import { analyzeChannels, type ChannelGroupOptions } from './channel-groups.js';
import { inputOf, outputOf } from './link-context.js';
import { FreshNames, keptPositions, type Removal } from './narrow-graph.js';
import { rootsOfSelection } from './removal.js';
import type { ChannelSelection } from './select-channels.js';

/**
 * The model as large as it was, with the channels of `selection` counting as zero wherever they are summed over, and left
 * out of statistics that go over channels. It gives what {@link removeChannels} gives with the same selection, and shows
 * what removal costs before anything is made smaller.
 */
export function maskChannels(model: Model, selection: ChannelSelection, options: ChannelGroupOptions = {}): Model {
  const analysis = analyzeChannels(model, options);
  const removal = { labels: analysis.labels, roots: rootsOfSelection(analysis, selection) };
  return withGraph(analysis.model, maskGraph(analysis.model.graph, removal));
}

function maskGraph(graph: Graph, removal: Removal): Graph {
  const names = new FreshNames(graph);
  const sites = new Map<Node, { readonly input: number; readonly axis: number }[]>();
  for (const { node, input, axis } of removal.labels.contracted)
    sites.set(node, [...(sites.get(node) ?? []), { input, axis }]);
  const normalizing = new Set(removal.labels.normalizing);
  return rebuildGraph(graph, {
    rewrite: (node, inputs, builder) => {
      const request = { node, inputs, builder, removal, names };
      if (normalizing.has(node)) return maskedNormalization(request);
      const masked = [...inputs];
      for (const { input, axis } of sites.get(node) ?? []) {
        const mask = maskAlong(request, inputOf(node, input), axis);
        if (mask === undefined) continue;
        const nodeName = names.fresh(`${node.name}/Mask`);
        masked[input] = builder.op('Mul', [masked[input], mask], {}, { nodeName, name: names.fresh(`${nodeName}:0`) });
      }
      if (masked.every((value, index) => value === inputs[index])) return undefined;
      const outputNames = node.outputs.map(({ name }) => name);
      return builder.anyNode({ ...node, inputs: masked }, node.outputs, { nodeName: node.name, outputNames });
    },
  }).graph;
}

interface MaskRequest {
  readonly node: Node;
  readonly inputs: readonly (Value | undefined)[];
  readonly builder: GraphBuilder;
  readonly removal: Removal;
  readonly names: FreshNames;
}

/** Ones where positions of an axis stay and zeros where they go, `[1, …, extent, …, 1]`; undefined when all stay. */
function maskAlong({ builder, node, removal, names }: MaskRequest, value: Value, axis: number): Value | undefined {
  const kept = keptPositions(removal, value, axis);
  if (kept === undefined) return undefined;
  const data = new Float32Array(value.shape[axis] as number);
  for (const position of kept) data[position] = 1;
  const shape = value.shape.map((extent, at) => (at === axis ? (extent as number) : 1));
  return builder.constant(castTensor(new Tensor('float32', shape, data), value.dtype), {
    name: names.fresh(`${node.name}/mask`),
  });
}

/** Statistics over the channels that stay: `Σ m·x / Σ m`, and `Σ m·(x − mean)² / Σ m`. */
function maskedNormalization(request: MaskRequest): readonly Value[] | undefined {
  const { node, inputs, builder, removal } = request;
  const x = inputOf(node, 0);
  const isGrouped = node.op === 'GroupNormalization';
  const first = Number(node.attributes['axis'] ?? -1);
  const axes = isGrouped ? [1] : x.shape.map((_, axis) => axis).slice(first);
  const kept = axes.map((axis) => keptPositions(removal, x, axis)?.length ?? (x.shape[axis] as number));
  const masks = axes.flatMap((axis) => maskAlong(request, x, axis) ?? []);
  const [source, scale, shift] = inputs as readonly [Value, Value, Value?];
  if (masks.length === 0) return undefined;
  const groups = isGrouped ? Number(node.attributes['num_groups']) : 1;
  const op = (name: 'Add' | 'Sub' | 'Mul' | 'Div', a: Value, b: Value): Value => builder.op(name, [a, b]);
  const number = (value: number): Value => builder.scalar(value, source.dtype);
  const masked = (value: Value): Value => masks.reduce((product, mask) => op('Mul', product, mask), value);
  const members = kept.reduce((product, each) => product * each, 1) / groups;
  const mean = (value: Value): Value => {
    if (!isGrouped) {
      const sum = builder.op('ReduceSum', [masked(value), builder.integers(axes)], { keepdims: 1 });
      return op('Div', sum, number(members));
    }
    const split = builder.op('Reshape', [
      masked(value),
      builder.integers([0, groups, (x.shape[1] as number) / groups, -1]),
    ]);
    const pixels = builder.op('ReduceMean', [split, builder.integers([3])], { keepdims: 1 });
    const sum = op('Div', builder.op('ReduceSum', [pixels, builder.integers([2])], { keepdims: 1 }), number(members));
    const spread = builder.op('Expand', [sum, builder.integers([1, groups, (x.shape[1] as number) / groups, 1])]);
    return builder.op('Reshape', [spread, builder.integers([0, -1, ...x.shape.slice(2).map(() => 1)])]);
  };
  const centered = node.op === 'RMSNormalization' ? source : op('Sub', source, mean(source));
  const variance = op('Add', mean(op('Mul', centered, centered)), number(Number(node.attributes['epsilon'] ?? 1e-5)));
  const normal = op('Div', centered, builder.op('Sqrt', [variance]));
  const perChannel = (vector: Value): Value =>
    isGrouped ? builder.op('Reshape', [vector, builder.integers([-1, ...x.shape.slice(2).map(() => 1)])]) : vector;
  const scaled = op('Mul', normal, perChannel(scale));
  const result = shift === undefined ? scaled : op('Add', scaled, perChannel(shift));
  return [builder.op('Identity', [result], {}, { name: outputOf(node).name })];
}
