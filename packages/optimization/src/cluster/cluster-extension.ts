import {
  type ExtendedWeight,
  fromNumbers,
  type GraphBuilder,
  Tensor,
  type TrainingExtension,
  type Value,
} from '@modelwright/core';
import type { Clusters } from './cluster-weight.js';

/** A weight whose clusters training keeps. */
export interface ClusteredParameter {
  /** Name of the parameter. */
  readonly name: string;
  readonly shape: readonly number[];
  readonly clusters: Clusters;
  /** The clusters of zeros, which stay where they are. */
  readonly zeroClusters: readonly number[];
}

/** How the gradients of the numbers in a cluster make the gradient of their centroid. */
export type GradientAggregation = 'sum' | 'mean';

/**
 * Trains centroids in the place of the weights that share them.
 *
 * `W = c[indices]`, `∂L/∂c_k = Σ_{i in cluster k} ∂L/∂W_i` (or its mean)
 *
 * The first number of each cluster stands for its centroid: the forward pass reads only those, so all gradient goes to them, the optimizer's
 * moments at these places are those of the centroids, and after each update all others are set to them. Slots hold which number
 * belongs to which cluster, so a checkpoint knows.
 */
export function clusterExtension(
  weights: readonly ClusteredParameter[],
  aggregation: GradientAggregation,
): TrainingExtension {
  const byName = new Map(weights.map((each) => [each.name, each]));
  const shared = ({ builder, parameter, value, slots }: ExtendedWeight, forGradient: boolean): Value => {
    const weight = byName.get(parameter.name);
    const indices = slots[parameter.name];
    if (weight === undefined || indices === undefined) return value;
    const own = firstMembers(builder, value, weight);
    const centroids = forGradient && aggregation === 'mean' ? averaged(builder, own, weight) : own;
    const spread = builder.op('Gather', [held(builder, centroids, weight), indices], { axis: 0 });
    return builder.op('Reshape', [spread, builder.integers(weight.shape)]);
  };
  return {
    name: 'cluster',
    slots: weights.map(({ name, clusters: { indices } }) => ({
      name,
      initial: new Tensor('int32', [indices.length], indices),
    })),
    transformWeight: (weight) => shared(weight, true),
    transformUpdate: (weight) => shared(weight, false),
    transformAverage: (weight) => shared(weight, false),
  };
}

function firstMembers(builder: GraphBuilder, value: Value, { clusters }: ClusteredParameter): Value {
  const first = new Int32Array(clusters.values.length).fill(-1);
  clusters.indices.forEach((cluster, at) => {
    if (first[cluster] === -1) first[cluster] = at;
  });
  const flat = builder.op('Reshape', [value, builder.integers([-1])]);
  return builder.op('Gather', [flat, builder.constant(new Tensor('int32', [first.length], first))], { axis: 0 });
}

/** The centroids with those of the zeros held at zero. */
function held(builder: GraphBuilder, centroids: Value, { zeroClusters, clusters }: ClusteredParameter): Value {
  if (zeroClusters.length === 0) return centroids;
  const factors = new Float64Array(clusters.values.length).fill(1);
  for (const cluster of zeroClusters) factors[cluster] = 0;
  return builder.op('Mul', [centroids, builder.constant(fromNumbers(centroids.dtype, [factors.length], factors))]);
}

/** The same numbers, whose gradient is divided by the number of members: `c + (c·f − stop(c·f))` with `f = 1/n − 1`. */
function averaged(builder: GraphBuilder, centroids: Value, { clusters }: ClusteredParameter): Value {
  const counts = new Float64Array(clusters.values.length);
  for (const cluster of clusters.indices) counts[cluster] = (counts[cluster] as number) + 1;
  const factors = fromNumbers(
    centroids.dtype,
    [counts.length],
    counts.map((count) => 1 / count - 1),
  );
  const scaled = builder.op('Mul', [centroids, builder.constant(factors)]);
  const nothing = builder.op('Sub', [scaled, builder.op('StopGradient', [scaled])]);
  return builder.op('Add', [centroids, nothing]);
}
