export type { CentroidInitialization } from './centroids.js';
export type { GradientAggregation } from './cluster-extension.js';
export {
  type ClusteredModel,
  type ClusteredWeightFacts,
  type ClusterWeightsOptions,
  clusterModel,
  clusterWeights,
} from './cluster-weights.js';
export { storeClusters, stripClusters } from './strip-clusters.js';
