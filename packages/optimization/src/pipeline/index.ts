export type { CalibrationSample, CalibrationSamples } from './calibration.js';
export { fineTune, type Train } from './fine-tune.js';
export type { MeasureMemory, MeasureOptions } from './measure-stages.js';
export {
  type Evaluation,
  type OptimizationProgress,
  type OptimizationResult,
  type OptimizeOptions,
  optimize,
} from './optimize.js';
