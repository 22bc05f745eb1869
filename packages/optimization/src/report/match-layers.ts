import { type Graph, isFloat, type Node, type Tensor, toNumbers, type Value } from '@modelwright/core';
import { weightedNodes } from '../weighted-nodes.js';

/** A layer and the values that may be called its result: of the node itself and of what is folded into it. */
export interface LayerCandidates {
  readonly node: Node;
  readonly values: readonly Value[];
}

/** Ops that runtimes and passes merge into the layer before them. */
const followers: ReadonlySet<string> = new Set([
  'Add',
  'BatchNormalization',
  'Mul',
  'Relu',
  'LeakyRelu',
  'Clip',
  'Sigmoid',
  'Tanh',
  'HardSigmoid',
  'HardSwish',
  'Gelu',
  'Elu',
  'Softplus',
  'Softmax',
]);

/** The layers of a graph that hold weights, and attention, in order. */
export function layersOf(graph: Graph): readonly LayerCandidates[] {
  const readers = readersOf(graph);
  const outputs = new Set(graph.outputs.map(({ value }) => value));
  const weighted = new Set(weightedNodes(graph).map(({ node }) => node));
  const layers = graph.nodes.filter((node) => weighted.has(node) || node.op === 'Attention');
  return layers.flatMap((node) => {
    const result = node.outputs.find((value) => readers.has(value) || outputs.has(value));
    if (result === undefined || !isFloat(result.dtype)) return [];
    const chain = [result];
    for (let value: Value | undefined = result; value !== undefined; ) {
      value = foldedInto(value, readers.get(value) ?? [], graph);
      if (value !== undefined) chain.push(value);
    }
    return [{ node, values: chain }];
  });
}

/** The result of the only node that reads a value, if it is of the kind that is folded; a sum of two branches is not. */
function foldedInto(value: Value, readers: readonly Node[], graph: Graph): Value | undefined {
  const [reader, ...others] = readers;
  if (reader === undefined || others.length > 0 || !followers.has(reader.op)) return undefined;
  const alone = reader.inputs.every((input) => input === undefined || input === value || graph.constants.has(input));
  return alone ? reader.outputs[0] : undefined;
}

function readersOf(graph: Graph): ReadonlyMap<Value, readonly Node[]> {
  const readers = new Map<Value, Node[]>();
  for (const node of graph.nodes) {
    for (const input of node.inputs) {
      if (input !== undefined) readers.set(input, [...(readers.get(input) ?? []), node]);
    }
  }
  return readers;
}

/** A value and what it was for the samples. */
export interface Observed {
  readonly value: Value;
  readonly tensor: Tensor;
}

/** A layer's result before a step, and what stands for it afterwards. */
export interface MatchedLayer {
  readonly node: Node;
  readonly before: Observed;
  readonly after: Observed;
  readonly error: number;
}

/**
 * Finds again, after a step, the results of layers. Values that kept their names are preferred; a step may also have
 * renamed or merged them, so among those of the same shape the nearest counts.
 */
export function matchLayers(
  layers: readonly LayerCandidates[],
  before: ReadonlyMap<Value, Tensor>,
  after: readonly Observed[],
): readonly MatchedLayer[] {
  const byShape = new Map<string, Sketch[]>();
  for (const observed of after) {
    const key = String(observed.tensor.shape);
    byShape.set(key, [...(byShape.get(key) ?? []), { observed, sample: sampleOf(observed.tensor) }]);
  }
  const taken = new Set<Value>();
  return layers.flatMap(({ node, values }) => {
    const matches = values.flatMap((value): MatchedLayer[] => {
      const tensor = before.get(value);
      if (tensor === undefined) return [];
      const found = nearest(value, sampleOf(tensor), byShape.get(String(tensor.shape)) ?? []);
      if (found === undefined) return [];
      const error = relativeError(toNumbers(tensor), toNumbers(found.tensor));
      return [{ node, before: { value, tensor }, after: found, error }];
    });
    const least = Math.min(...matches.map(({ error }) => error));
    const chosen = matches.find(({ error }) => error <= least * 1.5 + 1e-7);
    // Folding may have moved a factor from here into a later layer: the value is then another one, not a wrong one.
    if (chosen === undefined || isRescaled(chosen)) return [];
    if (taken.has(chosen.before.value) || taken.has(chosen.after.value)) return [];
    taken.add(chosen.before.value).add(chosen.after.value);
    return [chosen];
  });
}

interface Sketch {
  readonly observed: Observed;
  readonly sample: Float64Array;
}

/** Further away, a value of another name is another thing. */
const farthest = 0.5;

function nearest(value: Value, sample: Float64Array, sketches: readonly Sketch[]): Observed | undefined {
  const ranked = sketches
    .map(({ observed, sample: other }) => ({ observed, error: relativeError(sample, other) }))
    .sort((a, b) => a.error - b.error);
  const [best] = ranked;
  const named = ranked.find(({ observed }) => observed.value.name === value.name);
  if (best === undefined) return undefined;
  if (named !== undefined && (named.error <= best.error * 2 + 1e-6 || best.error > farthest)) return named.observed;
  return best.error > farthest ? undefined : best.observed;
}

const sampledElements = 2048;

function sampleOf(tensor: Tensor): Float64Array {
  const numbers = toNumbers(tensor);
  if (numbers.length <= sampledElements) return numbers;
  // A stride without a common factor with most extents, so that no axis is left out.
  const stride = Math.floor(numbers.length / sampledElements) | 1;
  return Float64Array.from({ length: sampledElements }, (_, at) => numbers[(at * stride) % numbers.length] as number);
}

/** `‖b − a‖ / ‖a‖`; infinite if b is not finite. */
export function relativeError(a: Float64Array, b: Float64Array): number {
  return relativeErrorOf([[a, b]]);
}

/** {@link relativeError} over several pairs as if they were one. */
export function relativeErrorOf(pairs: readonly (readonly [Float64Array, Float64Array])[]): number {
  let [difference, norm] = [0, 0];
  for (const [a, b] of pairs) {
    for (let at = 0; at < a.length; at++) {
      difference += ((b[at] as number) - (a[at] as number)) ** 2;
      norm += (a[at] as number) ** 2;
    }
  }
  if (Number.isNaN(difference)) return Number.POSITIVE_INFINITY;
  if (norm === 0) return difference === 0 ? 0 : Number.POSITIVE_INFINITY;
  return Math.sqrt(difference / norm);
}

/** From here on it is looked whether a difference is a scale. */
const largeError = 0.05;
const fewestOfAChannel = 8;

/** Whether `after ≈ α·before + β` with one α and β for each channel explains nearly all of a large difference. */
function isRescaled({ before, after, error }: MatchedLayer): boolean {
  if (error < largeError) return false;
  const { shape } = before.tensor;
  const [a, b] = [toNumbers(before.tensor), toNumbers(after.tensor)];
  return [1, shape.length - 1].some((axis) => {
    const channels = shape[axis] ?? 1;
    if (a.length / channels < fewestOfAChannel) return false;
    const inner = shape.slice(axis + 1).reduce((product, extent) => product * extent, 1);
    return unexplained(a, b, (at) => Math.floor(at / inner) % channels) < error / 4;
  });
}

/** `‖b − (α_c·a + β_c)‖ / ‖a‖` with the best α and β for each channel c. */
function unexplained(a: Float64Array, b: Float64Array, channelOf: (at: number) => number): number {
  const sums = new Map<number, { n: number; a: number; b: number; aa: number; ab: number; bb: number }>();
  let norm = 0;
  for (let at = 0; at < a.length; at++) {
    const [x, y] = [a[at] as number, b[at] as number];
    const channel = channelOf(at);
    const sum = sums.get(channel) ?? { n: 0, a: 0, b: 0, aa: 0, ab: 0, bb: 0 };
    sums.set(channel, sum);
    sum.n++;
    sum.a += x;
    sum.b += y;
    sum.aa += x * x;
    sum.ab += x * y;
    sum.bb += y * y;
    norm += x * x;
  }
  let rest = 0;
  for (const sum of sums.values()) {
    const covariance = sum.ab - (sum.a * sum.b) / sum.n;
    const [varianceA, varianceB] = [sum.aa - sum.a ** 2 / sum.n, sum.bb - sum.b ** 2 / sum.n];
    rest += Math.max(0, varianceB - (varianceA > 0 ? covariance ** 2 / varianceA : 0));
  }
  return Math.sqrt(rest / norm);
}
