export type {
  LayersModelArtifacts,
  LayersModelFile,
  LayersModelSource,
  WeightQuantization,
  WeightSpec,
} from './artifacts.js';
export {
  type ImportLayersModelOptions,
  importLayersModel,
  importLayersModelWeights,
  type LayersModelReport,
} from './import-layers-model.js';
export { importedClasses } from './layer-importers.js';
export type { LayersModelWeightReport } from './match-weights.js';
