import { fromNumbers, type Tensor, toNumbers } from '@modelwright/core';
import { assignToNearest, type CentroidOptions, findCentroids } from './centroids.js';

/** Which numbers of a weight share a value. */
export interface Clusters {
  /** For each element of the weight the place of its value in {@link values}. */
  readonly indices: Int32Array;
  /** As the weight's dtype stores them. */
  readonly values: Float64Array;
}

export interface ClusterOptions extends CentroidOptions {
  /** The axis of the output channels where each has centroids of its own; else undefined. */
  readonly channelAxis?: number;
  /** Numbers that are zero stay zero, in a cluster of their own that counts as one of those asked for. */
  readonly preserveZeros: boolean;
}

/** Sorts a weight's numbers into clusters. */
export function clustersOf(weight: Tensor, options: ClusterOptions): Clusters {
  const numbers = toNumbers(weight);
  const groups = options.channelAxis === undefined ? [undefined] : channelsOf(weight, options.channelAxis);
  const indices = new Int32Array(numbers.length);
  const values: number[] = [];
  for (const places of groups) {
    const members = places === undefined ? numbers : Float64Array.from(places, (place) => numbers[place] as number);
    const own = clusterNumbers(members, options);
    own.indices.forEach((cluster, at) => {
      indices[places?.[at] ?? at] = cluster + values.length;
    });
    values.push(...own.values);
  }
  const stored = toNumbers(fromNumbers(weight.dtype, [values.length], values));
  return { indices, values: stored };
}

/** The weight with each number replaced by its cluster's. */
export function clusteredTensor(weight: Tensor, { indices, values }: Clusters): Tensor {
  return fromNumbers(
    weight.dtype,
    weight.shape,
    Float64Array.from(indices, (cluster) => values[cluster] as number),
  );
}

function clusterNumbers(numbers: Float64Array, options: ClusterOptions): Clusters {
  const hasZeros = options.preserveZeros && numbers.includes(0);
  const moving = hasZeros ? numbers.filter((value) => value !== 0) : numbers;
  const count = options.clusters - (hasZeros ? 1 : 0);
  const centroids =
    moving.length === 0 || count === 0 ? new Float64Array(0) : findCentroids(moving, { ...options, clusters: count });
  if (!hasZeros) return { indices: assignToNearest(numbers, centroids), values: centroids };
  const next = assignToNearest(moving, centroids);
  let at = 0;
  return {
    indices: Int32Array.from(numbers, (value) => (value === 0 ? 0 : (next[at++] as number) + 1)),
    values: Float64Array.of(0, ...centroids),
  };
}

function channelsOf({ shape }: Tensor, axis: number): readonly Int32Array[] {
  const channels = shape[axis] as number;
  const inner = shape.slice(axis + 1).reduce((product, extent) => product * extent, 1);
  const outer = shape.slice(0, axis).reduce((product, extent) => product * extent, 1);
  return Array.from({ length: channels }, (_, channel) =>
    Int32Array.from({ length: outer * inner }, (_, at) => {
      const [before, after] = [Math.floor(at / inner), at % inner];
      return (before * channels + channel) * inner + after;
    }),
  );
}
