import { fromNumbers, type Graph, type Model, type Node, type Tensor, toNumbers, type Value } from '@modelwright/core';
import { weightedNodes } from '../weighted-nodes.js';
import { type GraphUses, usesOf } from './graph-uses.js';
import { pinnedGraph } from './pinned-graph.js';
import { integerReadyForm, withConstants } from './prepare.js';

/** A layer whose outputs go, through ops that scale with their inputs, into one other layer and nowhere else. */
interface Pair {
  readonly first: Node;
  readonly second: Node;
  /** Inputs of the second layer that each channel of the first becomes: more than one behind a flattening. */
  readonly spread: number;
  /** Whether those lie apart by the number of channels rather than next to each other. */
  readonly isInterleaved: boolean;
}

export interface EqualizationOptions {
  /** How often all pairs are gone through; a chain of layers settles in a few rounds. Default 10. */
  readonly rounds?: number;
}

/**
 * Evens out how large the weights of different channels are, between layers that follow each other: a channel that is made larger by one
 * layer is made smaller by the next. The model computes the same; one scale for all channels loses less.
 *
 * `w₁[o] ← w₁[o]/sₒ`, `b₁[o] ← b₁[o]/sₒ`, `w₂[·, o] ← w₂[·, o]·sₒ` with `sₒ = √(r₁ₒ/r₂ₒ)`, r the largest weight of the channel
 *
 * Through `Relu`, `LeakyRelu`, pooling and flattening; not through `Clip` or other activations.
 *
 * @returns the model in its inference form.
 * @see Nagel et al., arXiv:1906.04721, §4.1.
 */
export function equalizeLayers(model: Model, options: EqualizationOptions = {}): Model {
  const prepared = integerReadyForm(model);
  const pairs = pairsOf(pinnedGraph(prepared));
  if (pairs.length === 0) return prepared;
  const weights = new EditedConstants(prepared.graph);
  for (let round = 0; round < (options.rounds ?? 10); round++) {
    const largest = pairs.reduce((most, pair) => Math.max(most, equalizePair(pair, weights)), 0);
    if (largest < 1e-3) break;
  }
  return withConstants(prepared, weights.tensors());
}

/** Copies of constants, made when they are first changed. */
class EditedConstants {
  readonly #graph: Graph;
  readonly #numbers: Map<Value, Float64Array> = new Map();

  constructor(graph: Graph) {
    this.#graph = graph;
  }

  of(value: Value): Float64Array {
    const known = this.#numbers.get(value);
    if (known !== undefined) return known;
    const numbers = Float64Array.from(toNumbers(this.#graph.constants.get(value) as Tensor));
    this.#numbers.set(value, numbers);
    return numbers;
  }

  tensors(): ReadonlyMap<Value, Tensor> {
    return new Map(
      [...this.#numbers].map(([value, numbers]) => [
        value,
        fromNumbers(value.dtype, (this.#graph.constants.get(value) as Tensor).shape, numbers),
      ]),
    );
  }
}

/** @returns how far the pair was from even: the largest |ln s|. */
function equalizePair(pair: Pair, constants: EditedConstants): number {
  const { first, second } = pair;
  const [w1, w2] = [constants.of(first.inputs[1] as Value), constants.of(second.inputs[1] as Value)];
  const bias = first.inputs[2] === undefined ? undefined : constants.of(first.inputs[2]);
  const outputOf = outputChannel(first);
  const inputOf = inputChannel(pair);
  const count = channelCount(first);
  const [r1, r2] = [largestBy(w1, outputOf, count), largestBy(w2, inputOf, count)];
  // A channel that is all zero on one side has nothing to even out.
  const scales = r1.map((large, channel) => {
    const other = r2[channel] as number;
    return large > 0 && other > 0 ? Math.sqrt(large / other) : 1;
  });
  for (let at = 0; at < w1.length; at++) w1[at] = (w1[at] as number) / (scales[outputOf(at)] as number);
  for (let at = 0; at < w2.length; at++) w2[at] = (w2[at] as number) * (scales[inputOf(at)] as number);
  bias?.forEach((each, channel) => {
    bias[channel] = each / (scales[channel] as number);
  });
  return scales.reduce((most, scale) => Math.max(most, Math.abs(Math.log(scale))), 0);
}

function largestBy(weight: Float64Array, channelOf: (at: number) => number, count: number): Float64Array {
  const largest = new Float64Array(count);
  for (let at = 0; at < weight.length; at++) {
    const channel = channelOf(at);
    largest[channel] = Math.max(largest[channel] as number, Math.abs(weight[at] as number));
  }
  return largest;
}

const isTransposed = ({ attributes }: Node): boolean => attributes['transB'] === 1;
const extents = (node: Node): readonly number[] => (node.inputs[1] as Value).shape as readonly number[];

function channelCount(node: Node): number {
  return extents(node)[node.op === 'Conv' || isTransposed(node) ? 0 : 1] as number;
}

/** The output channel that each element of a layer's weight belongs to. */
function outputChannel(node: Node): (at: number) => number {
  const shape = extents(node);
  const columns = shape.slice(1).reduce((a, b) => a * b, 1);
  if (node.op === 'Conv' || isTransposed(node)) return (at) => Math.floor(at / columns);
  return (at) => at % columns;
}

/** The channel of the first layer that each element of the second one's weight multiplies. */
function inputChannel({ first, second, spread, isInterleaved }: Pair): (at: number) => number {
  const shape = extents(second);
  const [rows, columns] = shape as readonly [number, number];
  const count = channelCount(first);
  const channel = (input: number): number => (isInterleaved ? input % count : Math.floor(input / spread));
  if (second.op !== 'Conv')
    return isTransposed(second) ? (at) => channel(at % columns) : (at) => channel(Math.floor(at / columns));
  const taps = shape.slice(2).reduce((a, b) => a * b, 1);
  const outputsOfGroup = rows / ((second.attributes['group'] as number | undefined) ?? 1);
  return (at) => {
    const output = Math.floor(at / (columns * taps));
    return Math.floor(output / outputsOfGroup) * columns + (Math.floor(at / taps) % columns);
  };
}

const scalingOps: ReadonlySet<string> = new Set([
  'Relu',
  'LeakyRelu',
  'MaxPool',
  'AveragePool',
  'GlobalAveragePool',
  'GlobalMaxPool',
  'Identity',
  'Dropout',
]);

function pairsOf(graph: Graph): readonly Pair[] {
  const uses = usesOf(graph);
  const layers = weightedNodes(graph).filter(({ node, value }) => isEqualizable(node, graph, uses, value));
  const nodes = new Set(layers.map(({ node }) => node));
  return layers.flatMap(({ node }) => {
    const pair = pairAfter(node, nodes, uses);
    return pair === undefined ? [] : [pair];
  });
}

function isEqualizable(node: Node, graph: Graph, { readersOf }: GraphUses, value: Value): boolean {
  if (node.op !== 'Conv' && node.op !== 'Gemm') return false;
  const bias = node.inputs[2];
  const isPrivate = (each: Value): boolean => graph.constants.has(each) && readersOf(each).length === 1;
  if (!isPrivate(value) || (bias !== undefined && !isPrivate(bias))) return false;
  if (bias !== undefined && graph.constants.get(bias)?.elementCount !== channelCount(node)) return false;
  return (node.attributes['transA'] ?? 0) === 0;
}

function pairAfter(first: Node, layers: ReadonlySet<Node>, { onlyReaderOf }: GraphUses): Pair | undefined {
  let value = first.outputs[0] as Value;
  let perm: readonly number[] | undefined;
  let flattened: readonly (number | string)[] | undefined;
  for (;;) {
    const reader = onlyReaderOf(value);
    if (reader === undefined || reader.inputs[0] !== value) return undefined;
    if (layers.has(reader)) return paired({ first, second: reader, perm, flattened });
    const isPermuted = perm !== undefined || flattened !== undefined;
    if (reader.op === 'Transpose' && !isPermuted) perm = reader.attributes['perm'] as readonly number[] | undefined;
    else if ((reader.op === 'Flatten' || reader.op === 'Reshape') && flattened === undefined) flattened = value.shape;
    else if (!scalingOps.has(reader.op) || (isPermuted && /Pool/.test(reader.op))) return undefined;
    value = reader.outputs[0] as Value;
  }
}

interface Found {
  readonly first: Node;
  readonly second: Node;
  readonly perm: readonly number[] | undefined;
  /** The shape before a flattening, after the transpose. */
  readonly flattened: readonly (number | string)[] | undefined;
}

function paired({ first, second, perm, flattened }: Found): Pair | undefined {
  const count = channelCount(first);
  const inputs =
    second.op === 'Conv' ? channelsInto(second) : (extents(second)[isTransposed(second) ? 1 : 0] as number);
  if (flattened === undefined) {
    const isDirect = perm === undefined && inputs === count;
    return isDirect ? { first, second, spread: 1, isInterleaved: false } : undefined;
  }
  const spread = inputs / count;
  const rest = flattened.slice(1).reduce<number>((product, extent) => product * Number(extent), 1);
  if (second.op !== 'Gemm' || rest !== inputs || !Number.isInteger(spread)) return undefined;
  // [batch, channels, …] or, transposed, [batch, …, channels]
  if (perm === undefined) return flattened[1] === count ? { first, second, spread, isInterleaved: false } : undefined;
  return perm.at(-1) === 1 && perm[0] === 0 ? { first, second, spread, isInterleaved: true } : undefined;
}

function channelsInto(node: Node): number {
  return (extents(node)[1] as number) * ((node.attributes['group'] as number | undefined) ?? 1);
}
