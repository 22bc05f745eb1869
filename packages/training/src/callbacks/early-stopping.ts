import type { TensorMap } from '@modelwright/core';
import type { Callback, CallbackState } from './callback.js';
import { Improvement, type MonitorOptions } from './improvement.js';

export interface EarlyStoppingOptions extends MonitorOptions {
  /** Epochs without improvement before training ends. Default 0. */
  readonly patience?: number;
  /** Go back to the weights of the best epoch at the end. Default false. */
  readonly restoreBestWeights?: boolean;
  /** Epochs before watching begins. Default 0. */
  readonly startFromEpoch?: number;
}

interface Memory {
  readonly best: number | string;
  readonly waited: number;
}

/**
 * Ends training when a number has stopped getting better.
 *
 * @example
 * earlyStopping({ monitor: 'val_accuracy', patience: 3, restoreBestWeights: true });
 */
export function earlyStopping(options: EarlyStoppingOptions = {}): Callback {
  const { patience = 0, restoreBestWeights = false, startFromEpoch = 0 } = options;
  const improvement = new Improvement(options);
  let waited = 0;
  let bestWeights: TensorMap | undefined;
  return {
    name: 'earlyStopping',
    async onEpochEnd(epoch, logs, run) {
      if (epoch < startFromEpoch) return;
      if (improvement.observe('earlyStopping', logs)) {
        waited = 0;
        if (restoreBestWeights) bestWeights = await run.readWeights();
      } else if (++waited >= patience) run.stop();
    },
    async onTrainEnd(run) {
      if (bestWeights !== undefined) await run.writeWeights(bestWeights);
    },
    snapshot: () => ({
      values: { best: String(improvement.best), waited },
      ...(bestWeights === undefined ? {} : { tensors: bestWeights }),
    }),
    restore({ values, tensors }: CallbackState) {
      const memory = values as unknown as Memory;
      improvement.best = Number(memory.best);
      waited = memory.waited;
      bestWeights = tensors;
    },
  };
}
