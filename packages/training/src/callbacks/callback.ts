import type { TensorMap } from '@modelwright/core';
import type { Logs } from '../trainer/aggregate.js';

/** Data that JSON keeps; numbers must be finite. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** What a callback remembers; checkpoints keep it, so that resumed training goes on as if it had not stopped. */
export interface CallbackState {
  readonly values: JsonValue;
  readonly tensors?: TensorMap;
}

/** The run that a callback watches, and what it may do to it. */
export interface TrainingRun {
  /** Epoch under way, from 0. */
  readonly epoch: number;
  readonly epochs: number;
  /** Batches trained on so far, in all runs. */
  readonly step: number;
  /** Learning rate of the next step. */
  readonly learningRate: number;
  /** Sets the learning rate from the next step on, in place of the optimizer's schedule. */
  setLearningRate(learningRate: number): void;
  /** Ends training after what is under way (the batch, the epoch's end). */
  stop(): void;
  /** The weights as they are now (their moving averages, where those are kept), by name. */
  readWeights(): Promise<TensorMap>;
  writeWeights(weights: TensorMap): Promise<void>;
  /** Makes `stateful` layers start anew, at the beginning of an epoch, say. */
  resetStates(): Promise<void>;
  /** Writes a checkpoint as soon as all callbacks have had this event. */
  requestCheckpoint(path: string): void;
}

/**
 * Hooks into `fit`. All are optional and may be asynchronous. A callback with a hook for batches makes training wait for
 * each batch's numbers, so that it sees the state of exactly that batch.
 */
export interface Callback {
  readonly name: string;
  /** Call the hooks for batches only at every this many steps; the batches between are not waited for. Default 1. */
  readonly batchFrequency?: number;
  onTrainBegin?(run: TrainingRun): Promise<void> | void;
  onTrainEnd?(run: TrainingRun): Promise<void> | void;
  onEpochBegin?(epoch: number, run: TrainingRun): Promise<void> | void;
  /** @param logs - Loss and metrics of the epoch; those of validation with `val_` in front; `learningRate`. */
  onEpochEnd?(epoch: number, logs: Logs, run: TrainingRun): Promise<void> | void;
  /** @param batch - Number of the batch in its epoch, from 0. */
  onBatchBegin?(batch: number, run: TrainingRun): Promise<void> | void;
  /** @param logs - Loss and metrics over the epoch so far. */
  onBatchEnd?(batch: number, logs: Logs, run: TrainingRun): Promise<void> | void;
  /** The loss is NaN or infinite. With such a hook `fit` does not throw. */
  onNotFinite?(loss: number, run: TrainingRun): Promise<void> | void;
  snapshot?(): CallbackState;
  restore?(state: CallbackState): void;
}

/** A callback of one's own from its hooks. */
export function callback(hooks: Omit<Callback, 'name'> & { readonly name?: string }): Callback {
  return { name: 'callback', ...hooks };
}
