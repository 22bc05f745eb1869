import { ModelwrightError } from '@modelwright/core';
import type { Callback, CallbackState } from './callback.js';
import { Improvement, type MonitorOptions } from './improvement.js';

export interface ModelCheckpointOptions extends MonitorOptions {
  /** Path without extension; `{epoch}` and `{step}` are replaced. One that stays the same is overwritten, atomically. */
  readonly path: string;
  /** Write only when the monitored number is better than ever. Default false. */
  readonly saveBestOnly?: boolean;
  /** After each epoch, or after each so many batches. Default `epoch`. */
  readonly saveFrequency?: 'epoch' | number;
}

/** Writes checkpoints that `fit({ resumeFrom })` continues from. */
export function modelCheckpoint(options: ModelCheckpointOptions): Callback {
  const { saveBestOnly = false, saveFrequency = 'epoch' } = options;
  if (saveBestOnly && saveFrequency !== 'epoch') {
    throw new ModelwrightError('invalid-argument', 'modelCheckpoint: saveBestOnly goes with saveFrequency epoch', {
      given: saveFrequency,
    });
  }
  const improvement = new Improvement(options);
  const pathAt = (epoch: number, step: number): string =>
    options.path.replaceAll('{epoch}', String(epoch + 1)).replaceAll('{step}', String(step));
  const state = {
    snapshot: () => ({ values: { best: String(improvement.best) } }),
    restore({ values }: CallbackState): void {
      improvement.best = Number((values as { readonly best: string }).best);
    },
  };
  if (saveFrequency !== 'epoch') {
    return {
      name: 'modelCheckpoint',
      ...state,
      batchFrequency: saveFrequency,
      onBatchEnd(_batch, _logs, run) {
        run.requestCheckpoint(pathAt(run.epoch, run.step));
      },
    };
  }
  return {
    name: 'modelCheckpoint',
    ...state,
    onEpochEnd(epoch, logs, run) {
      if (saveBestOnly && !improvement.observe('modelCheckpoint', logs)) return;
      run.requestCheckpoint(pathAt(epoch, run.step));
    },
  };
}
