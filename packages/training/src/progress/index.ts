export {
  createProgress,
  type EpochPlan,
  formatDuration,
  type ProgressDisplay,
  type ProgressOptions,
  type ProgressStream,
} from './progress-display.js';
