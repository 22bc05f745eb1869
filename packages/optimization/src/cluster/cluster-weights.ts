import {
  type Model,
  ModelwrightError,
  type Tensor,
  type TrainingExtension,
  toNumbers,
  type Value,
} from '@modelwright/core';
import { type LayerSelection, selectorOf } from '../quantize/selection.js';
import type { OptimizationStep } from '../step.js';
import { type WeightedNode, weightedNodes } from '../weighted-nodes.js';
import { withGraph } from '../with-graph.js';
import type { CentroidInitialization } from './centroids.js';
import { type ClusteredParameter, clusterExtension, type GradientAggregation } from './cluster-extension.js';
import { type Clusters, clusteredTensor, clustersOf } from './cluster-weight.js';

/** How weights are made to share few values. */
export interface ClusterWeightsOptions extends LayerSelection {
  /** Values that a weight (or one channel of it) may take. Default 32. */
  readonly clusters?: number;
  /** Where centroids begin. Default `kmeans++`. */
  readonly initialization?: CentroidInitialization;
  /** Rounds of k-means from there on. Default 30; 0 takes the beginning as it is. */
  readonly iterations?: number;
  /** Centroids of its own for each output channel: closer to the weight, and larger. Default false. */
  readonly perChannel?: boolean;
  /** Numbers that are zero (pruned) stay so, in a cluster of their own. Default true. */
  readonly preserveZeros?: boolean;
  /** How gradients make the centroid's. Default `sum`, the true gradient. */
  readonly gradient?: GradientAggregation;
  /** Default 0. */
  readonly seed?: number;
}

/** What became of one weight. */
export interface ClusteredWeightFacts {
  readonly name: string;
  /** Values that it takes now. */
  readonly values: number;
  /** Squared error relative to the weight. */
  readonly relativeError: number;
}

/** A model whose weights share values, and what keeps them shared in training. */
export interface ClusteredModel {
  readonly model: Model;
  /** For `createTrainer(model, { extensions: [extension] })`: trains the centroids. */
  readonly extension: TrainingExtension;
  readonly weights: readonly ClusteredWeightFacts[];
  readonly notes: readonly string[];
}

/**
 * Lets each weight take few values only. The file shrinks when it is compressed, or at once with `stripClusters`; no runtime
 * computes faster for it. Training with the extension moves the shared values, by the gradients of all numbers that share them.
 *
 * @throws {@link ModelwrightError} `invalid-argument` for a number of clusters that is none, or a name that means no weight.
 * @see Han, Mao and Dally, Deep Compression, arXiv:1510.00149, §3.
 * @example
 * const { model: clustered, extension } = clusterModel(model, { clusters: 32 });
 * const trainer = await createTrainer(clustered, { backend, loss, extensions: [extension] });
 */
export function clusterModel(model: Model, options: ClusterWeightsOptions = {}): ClusteredModel {
  const { clusters = 32, gradient = 'sum' } = options;
  if (!Number.isInteger(clusters) || clusters < 2) {
    throw new ModelwrightError('invalid-argument', `clusters ${clusters} is not possible; allowed: integers from 2`, {
      given: clusters,
      allowed: '2…',
    });
  }
  const { chosen, notes } = chooseWeights(model, options);
  const replaced = new Map<Value, Tensor>();
  const parameters: ClusteredParameter[] = [];
  const weights: ClusteredWeightFacts[] = [];
  for (const { name, place } of chosen) {
    const { value, weight } = place;
    const found = clusterOne(place, options);
    const tensor = clusteredTensor(weight, found);
    replaced.set(value, tensor);
    parameters.push({ name, shape: weight.shape, clusters: found, zeroClusters: zeroClustersOf(found, options) });
    weights.push({ name, values: found.values.length, relativeError: relativeError(weight, tensor) });
  }
  const constants = new Map([...model.graph.constants].map(([value, held]) => [value, replaced.get(value) ?? held]));
  return {
    model: withGraph(model, { ...model.graph, constants }),
    extension: clusterExtension(parameters, gradient),
    weights,
    notes: [...summaryOf(weights), ...notes],
  };
}

/**
 * The step of `optimize` that lets weights share values; a `fineTune` after it trains them, and `storeClusters` writes them small.
 *
 * @example
 * await optimize(model, { backend, evaluate, steps: [clusterWeights({ clusters: 32 }), fineTune(train), storeClusters()] });
 */
export function clusterWeights(options: ClusterWeightsOptions = {}): OptimizationStep {
  const { clusters = 32, perChannel = false } = options;
  return {
    name: `clusterWeights ${clusters}${perChannel ? ' a channel' : ''}`,
    async apply(model) {
      const { model: clustered, extension, notes } = clusterModel(model, options);
      return { model: clustered, extensions: [extension], notes };
    },
  };
}

interface Chosen {
  readonly name: string;
  readonly place: WeightedNode;
}

function chooseWeights(
  model: Model,
  options: ClusterWeightsOptions,
): { readonly chosen: readonly Chosen[]; readonly notes: readonly string[] } {
  const names = new Map(model.parameters.map(({ name, value }) => [value, name]));
  const places = weightedNodes(model.graph)
    .filter(({ value, weight }) => names.has(value) && weight.dtype.startsWith('float'))
    .map((place) => ({ place, node: place.node, weight: names.get(place.value) as string }));
  const isSelected = selectorOf(options, places);
  const unique = new Map<Value, Chosen>();
  const notes: string[] = [];
  for (const { place, node, weight: name } of places) {
    if (unique.has(place.value) || !isSelected(node, name)) continue;
    const least =
      (options.clusters ?? 32) * (options.perChannel === true ? (place.weight.shape[place.outputAxis] as number) : 1);
    if (place.weight.elementCount > least) unique.set(place.value, { name, place });
    else notes.push(`'${name}' [${place.weight.shape}] stays: it has no more numbers than there are clusters`);
  }
  return { chosen: [...unique.values()], notes };
}

function clusterOne({ weight, outputAxis }: WeightedNode, options: ClusterWeightsOptions): Clusters {
  const { clusters = 32, initialization = 'kmeans++', iterations = 30, preserveZeros = true, seed = 0 } = options;
  return clustersOf(weight, {
    ...{ clusters, initialization, iterations, preserveZeros, seed },
    ...(options.perChannel === true ? { channelAxis: outputAxis } : {}),
  });
}

function zeroClustersOf({ values }: Clusters, { preserveZeros = true }: ClusterWeightsOptions): readonly number[] {
  return preserveZeros ? [...values.keys()].filter((at) => values[at] === 0) : [];
}

function relativeError(before: Tensor, after: Tensor): number {
  const [a, b] = [toNumbers(before), toNumbers(after)];
  let [lost, whole] = [0, 0];
  a.forEach((value, at) => {
    lost += (value - (b[at] as number)) ** 2;
    whole += value ** 2;
  });
  return whole === 0 ? 0 : lost / whole;
}

function summaryOf(weights: readonly ClusteredWeightFacts[]): readonly string[] {
  if (weights.length === 0) return ['no weight was clustered'];
  const worst = weights.reduce((a, b) => (b.relativeError > a.relativeError ? b : a));
  const most = Math.max(...weights.map(({ values }) => values));
  return [
    `${weights.length} weights take at most ${most} values each; this makes the file small when compressed or stored by storeClusters, and nothing faster`,
    `largest error in '${worst.name}': ${Math.sqrt(worst.relativeError).toPrecision(2)} relative to the weight`,
  ];
}
