import type { Callback, CallbackState } from './callback.js';
import { Improvement, type MonitorOptions } from './improvement.js';

/**
 * Sets the learning rate at the beginning of each epoch.
 *
 * @param rate - From the epoch (from 0) and the present rate.
 */
export function learningRateScheduler(rate: (epoch: number, learningRate: number) => number): Callback {
  return {
    name: 'learningRateScheduler',
    onEpochBegin(epoch, run) {
      run.setLearningRate(rate(epoch, run.learningRate));
    },
  };
}

export interface ReduceOnPlateauOptions extends MonitorOptions {
  /** What the rate is multiplied by, default 0.1. */
  readonly factor?: number;
  /** Epochs without improvement before the rate falls. Default 10. */
  readonly patience?: number;
  /** Epochs after a fall that do not count. Default 0. */
  readonly cooldown?: number;
  /** The rate stays above. Default 0. */
  readonly minLearningRate?: number;
}

/** Lowers the learning rate when a number has stopped getting better; a change below `minDelta` (default 1e-4) is none. */
export function reduceLearningRateOnPlateau(options: ReduceOnPlateauOptions = {}): Callback {
  const { factor = 0.1, patience = 10, cooldown = 0, minLearningRate = 0 } = options;
  const improvement = new Improvement({ minDelta: 1e-4, ...options });
  let waited = 0;
  let cooling = 0;
  return {
    name: 'reduceLearningRateOnPlateau',
    onEpochEnd(_, logs, run) {
      if (cooling > 0) {
        cooling--;
        waited = 0;
      }
      if (improvement.observe('reduceLearningRateOnPlateau', logs)) waited = 0;
      else if (cooling === 0 && ++waited >= patience) {
        if (run.learningRate > minLearningRate) {
          run.setLearningRate(Math.max(run.learningRate * factor, minLearningRate));
          cooling = cooldown;
        }
        waited = 0;
      }
    },
    snapshot: () => ({ values: { best: String(improvement.best), waited, cooling } }),
    restore({ values }: CallbackState) {
      const memory = values as unknown as { best: string; waited: number; cooling: number };
      improvement.best = Number(memory.best);
      ({ waited, cooling } = memory);
    },
  };
}
