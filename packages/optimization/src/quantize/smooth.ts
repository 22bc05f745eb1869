import {
  fromNumbers,
  type Graph,
  type Model,
  ModelwrightError,
  type Node,
  type Tensor,
  toNumbers,
  type Value,
} from '@modelwright/core';
import { weightedNodes } from '../weighted-nodes.js';
import { type Observation, observe } from './calibrate/observe.js';
import { type GraphUses, usesOf } from './graph-uses.js';
import { pinnedGraph } from './pinned-graph.js';
import { inferenceForm, withConstants } from './prepare.js';

export interface SmoothingOptions extends Observation {
  /** How much of the spread moves from activations into weights: 0 nothing, 1 all. Default 0.5. */
  readonly alpha?: number;
}

/** Products that read one normalized value, and the vectors that scaled and shifted it. */
interface Group {
  readonly value: Value;
  /** Constants with a number for each feature, divided by the scales. */
  readonly vectors: readonly Value[];
  /** Weights whose rows are multiplied by the scales. */
  readonly products: readonly { readonly value: Value; readonly weight: Tensor; readonly inputAxis: number }[];
}

/**
 * Moves the outliers of activations into weights, feature by feature, where a normalization stands before products: attention projections
 * and feed-forward layers of transformers. The model computes the same; its activations fit into 8 bits better.
 *
 * `sⱼ = max|xⱼ|^α / max|wⱼ|^(1−α)`, `x ← x/s` in gamma and beta of the normalization, `w ← s·w`
 *
 * @returns the model in its inference form.
 * @throws {@link ModelwrightError} `invalid-argument` if `alpha` is not between 0 and 1, or without samples.
 * @see Xiao et al., arXiv:2211.10438, §4.
 */
export async function smoothActivations(model: Model, options: SmoothingOptions): Promise<Model> {
  const { alpha = 0.5 } = options;
  if (!(alpha >= 0 && alpha <= 1))
    throw new ModelwrightError('invalid-argument', `alpha is ${alpha}; it lies between 0 and 1`, { given: alpha });
  const prepared = inferenceForm(model);
  const groups = groupsOf(pinnedGraph(prepared));
  if (groups.length === 0) return prepared;
  const largest = await largestFeatures(prepared, groups, options);
  const replaced = new Map<Value, Tensor>();
  for (const [index, group] of groups.entries())
    smoothGroup(group, largest[index] as Float64Array, { alpha, replaced, graph: prepared.graph });
  return withConstants(prepared, replaced);
}

function groupsOf(graph: Graph): readonly Group[] {
  const uses = usesOf(graph);
  const products = new Map(
    weightedNodes(graph)
      .filter(({ node, value }) => isSmoothable(node) && uses.readersOf(value).length === 1)
      .map((each) => [each.node, each]),
  );
  return graph.nodes.flatMap((node) => {
    const vectors = normalizationVectors(node, graph, uses);
    const [value] = node.outputs;
    if (vectors === undefined || value === undefined || uses.isOutput(value)) return [];
    const readers = uses.readersOf(value);
    const found = readers.flatMap((reader) => products.get(reader) ?? []);
    const areAll =
      readers.length > 0 &&
      found.length === readers.length &&
      found.every(({ node: each }) => each.inputs[0] === value);
    return areAll ? [{ value, vectors, products: found }] : [];
  });
}

function isSmoothable({ op, inputs, attributes }: Node): boolean {
  if (op === 'Gemm') return (attributes['transA'] ?? 0) === 0;
  return op === 'MatMul' && inputs[1]?.shape.length === 2;
}

/** Scale and shift of a normalization over the last axis, read by nothing else; undefined for other nodes. */
function normalizationVectors(
  { op, inputs, attributes }: Node,
  graph: Graph,
  { readersOf }: GraphUses,
): readonly Value[] | undefined {
  if (op !== 'LayerNormalization' && op !== 'RMSNormalization') return undefined;
  const [x, ...vectors] = inputs;
  const axis = (attributes['axis'] as number | undefined) ?? -1;
  const isLast = x !== undefined && (axis === -1 || axis === x.shape.length - 1);
  const given = vectors.filter((each): each is Value => each !== undefined);
  const arePrivate = given.every((each) => graph.constants.get(each)?.rank === 1 && readersOf(each).length === 1);
  return isLast && given.length > 0 && arePrivate ? given : undefined;
}

/** The largest magnitude of each feature of the groups' values. */
async function largestFeatures(
  model: Model,
  groups: readonly Group[],
  observation: Observation,
): Promise<readonly Float64Array[]> {
  const largest: Float64Array[] = [];
  await observe(model, observation, {
    add: (builder, standing) =>
      Object.fromEntries(
        groups.map(({ value }, index) => {
          const x = standing(value);
          const axes = builder.integers(x.shape.slice(0, -1).map((_, axis) => axis));
          return [`${index}`, builder.op('ReduceMax', [builder.op('Abs', [x]), axes], { keepdims: 0 })];
        }),
      ),
    see: (seen) => {
      for (const index of groups.keys()) {
        const now = toNumbers(seen[`${index}`] as Tensor);
        largest[index] = now.map((each, feature) => Math.max(each, largest[index]?.[feature] ?? 0));
      }
    },
  });
  return largest;
}

interface Smoothing {
  readonly alpha: number;
  readonly replaced: Map<Value, Tensor>;
  readonly graph: Graph;
}

function smoothGroup({ vectors, products }: Group, largest: Float64Array, { alpha, replaced, graph }: Smoothing): void {
  const rows = new Float64Array(largest.length);
  for (const { weight, inputAxis } of products) {
    const columns = weight.shape[1] as number;
    toNumbers(weight).forEach((each, at) => {
      const feature = inputAxis === 0 ? Math.floor(at / columns) : at % columns;
      rows[feature] = Math.max(rows[feature] as number, Math.abs(each));
    });
  }
  const scales = largest.map((most, feature) => {
    const row = rows[feature] as number;
    return most > 0 && row > 0 ? most ** alpha / row ** (1 - alpha) : 1;
  });
  for (const vector of vectors) {
    const held = graph.constants.get(vector) as Tensor;
    const divided = toNumbers(held).map((each, feature) => each / (scales[feature] as number));
    replaced.set(vector, fromNumbers(held.dtype, held.shape, divided));
  }
  for (const { value, weight, inputAxis } of products) {
    const columns = weight.shape[1] as number;
    const scaled = toNumbers(weight).map((each, at) => {
      const feature = inputAxis === 0 ? Math.floor(at / columns) : at % columns;
      return each * (scales[feature] as number);
    });
    replaced.set(value, fromNumbers(weight.dtype, weight.shape, scaled));
  }
}
