import {
  type Bindings,
  castTensor,
  dtypeFacts,
  elementCountOf,
  fromNumbers,
  type Graph,
  GraphBuilder,
  inlineGraph,
  type Model,
  onnxDataType,
  removeDeadNodes,
  Tensor,
  toNumbers,
  type Value,
} from '@modelwright/core';
import { frozen } from '../quantize/frozen.js';
import type { OptimizationStep } from '../step.js';
import { type WeightedNode, weightedNodes } from '../weighted-nodes.js';
import { withGraph } from '../with-graph.js';

/**
 * Stores weights that take at most 256 values as those values and a place in them for each number: 8 bits a number, or 4 where
 * there are no more than 16. The graph looks them up, which a runtime does once, when it loads the file. Where each output
 * channel has values of its own it has a row of its own.
 *
 * `W = c[indices]`
 *
 * Indices keep the name of the weight, as a parameter that no training changes; the values are `<weight>.centroids`.
 *
 * @example
 * await saveModel(stripClusters(model), 'small.onnx');
 */
export function stripClusters(model: Model): Model {
  return stripped(model).model;
}

/**
 * The step of `optimize` that stores clustered weights as indices, once they need no more training.
 */
export function storeClusters(): OptimizationStep {
  return { name: 'storeClusters', apply: async (model) => stripped(model) };
}

function stripped(model: Model): { readonly model: Model; readonly notes: readonly string[] } {
  const coded = new Map<Value, CodedWeight>();
  let [before, after] = [0, 0];
  for (const place of weightedNodes(model.graph)) {
    if (coded.has(place.value)) continue;
    const weight = codedWeight(place);
    if (weight === undefined) continue;
    coded.set(place.value, weight);
    before += bytesOf(place.weight);
    after += bytesOf(weight.indices) + bytesOf(weight.values);
  }
  if (coded.size === 0) return { model, notes: ['no weight takes so few values that indices are smaller'] };
  return {
    model: frozen(withGraph(model, withLookups(model.graph, coded))),
    notes: [`${coded.size} weights stored as indices: ${before} bytes became ${after}`],
  };
}

interface CodedWeight {
  /** `[clusters]`, or `[channels, clusters]` */
  readonly values: Tensor;
  /** In the weight's shape; with channels `[channels, numbers of one]`. */
  readonly indices: Tensor;
  readonly channelAxis?: number;
}

const mostValues = 256;

/** The smaller of both forms, if one of them is smaller than the weight. */
function codedWeight({ weight, outputAxis }: WeightedNode): CodedWeight | undefined {
  if (!weight.dtype.startsWith('float')) return undefined;
  const forms = [asWhole(weight), byChannel(weight, outputAxis)].filter((form) => form !== undefined);
  const sizeOf = ({ indices, values }: CodedWeight): number => bytesOf(indices) + bytesOf(values);
  const [best] = forms.sort((a, b) => sizeOf(a) - sizeOf(b));
  return best !== undefined && sizeOf(best) < bytesOf(weight) ? best : undefined;
}

function asWhole(weight: Tensor): CodedWeight | undefined {
  const found = distinct(toNumbers(weight));
  if (found === undefined) return undefined;
  const { values, indices } = found;
  return {
    values: fromNumbers(weight.dtype, [values.length], values),
    indices: indexTensor(indices, weight.shape, values.length),
  };
}

function byChannel(weight: Tensor, channelAxis: number): CodedWeight | undefined {
  const channels = weight.shape[channelAxis] as number;
  const rows = channelsFirst(toNumbers(weight), weight.shape, channelAxis);
  const width = rows.length / channels;
  const found = [];
  for (let channel = 0; channel < channels; channel++) {
    const row = distinct(rows.subarray(channel * width, (channel + 1) * width));
    if (row === undefined) return undefined;
    found.push(row);
  }
  const most = Math.max(...found.map(({ values }) => values.length));
  const values = new Float64Array(channels * most);
  found.forEach((row, channel) => {
    values.set(row.values, channel * most);
  });
  const indices = Uint8Array.from(found.flatMap((row) => [...row.indices]));
  return {
    channelAxis,
    values: fromNumbers(weight.dtype, [channels, most], values),
    indices: indexTensor(indices, [channels, width], most),
  };
}

function indexTensor(indices: Uint8Array, shape: readonly number[], count: number): Tensor {
  return new Tensor(count <= 16 ? 'uint4' : 'uint8', shape, indices);
}

/** The values that numbers take, ascending, and which each takes; undefined if there are too many. */
function distinct(numbers: Float64Array): { readonly values: Float64Array; readonly indices: Uint8Array } | undefined {
  const places = new Map<number, number>();
  for (const value of numbers) {
    places.set(value, 0);
    if (places.size > mostValues) return undefined;
  }
  const values = Float64Array.from(places.keys()).sort();
  values.forEach((value, at) => {
    places.set(value, at);
  });
  return { values, indices: Uint8Array.from(numbers, (value) => places.get(value) as number) };
}

function channelsFirst(numbers: Float64Array, shape: readonly number[], axis: number): Float64Array {
  const channels = shape[axis] as number;
  const inner = elementCountOf(shape.slice(axis + 1));
  const outer = elementCountOf(shape.slice(0, axis));
  const result = new Float64Array(numbers.length);
  for (let channel = 0, at = 0; channel < channels; channel++)
    for (let before = 0; before < outer; before++)
      for (let after = 0; after < inner; after++, at++)
        result[at] = numbers[(before * channels + channel) * inner + after] as number;
  return result;
}

function withLookups(graph: Graph, coded: ReadonlyMap<Value, CodedWeight>): Graph {
  const builder = new GraphBuilder(graph.name);
  const bindings: Bindings = new Map();
  for (const input of graph.inputs) bindings.set(input, builder.input(input.name, input.dtype, input.shape));
  for (const [value, weight] of coded) bindings.set(value, lookup(builder, value, weight));
  const outputs = inlineGraph(builder, graph, bindings);
  graph.outputs.forEach(({ name }, at) => {
    builder.output(name, outputs[at] as Value);
  });
  return removeDeadNodes.run(builder.build());
}

function lookup(builder: GraphBuilder, value: Value, { values, indices, channelAxis }: CodedWeight): Value {
  return builder.scoped({ name: value.name }, () => {
    const codes = builder.constant(indices, { name: value.name });
    const centroids = builder.constant(castTensor(values, value.dtype), { name: `${value.name}.centroids` });
    // Lookups want int32 at least.
    const places = builder.op('Cast', [codes], { to: onnxDataType('int32') });
    if (channelAxis === undefined) return builder.op('Gather', [centroids, places], { axis: 0 });
    const rows = builder.op('GatherElements', [centroids, places], { axis: 1 });
    const shape = value.shape as readonly number[];
    const others = [...shape.keys()].filter((axis) => axis !== channelAxis);
    const order = [channelAxis, ...others];
    const whole = builder.op('Reshape', [rows, builder.integers(order.map((axis) => shape[axis] as number))]);
    return builder.op('Transpose', [whole], { perm: shape.map((_, axis) => order.indexOf(axis)) });
  });
}

function bytesOf({ dtype, elementCount }: Tensor): number {
  return Math.ceil((elementCount * dtypeFacts[dtype].bits) / 8);
}
