import type { CancelSignal } from '@modelwright/core';
import type { Callback } from '../callbacks/callback.js';
import type { ClassWeights } from '../data/index.js';
import type { ProgressOptions } from '../progress/index.js';
import type { DataLike } from './prepare-data.js';

/** Options of `fit`. */
export interface FitOptions {
  /** Passes over the data, default 1. */
  readonly epochs?: number;
  /** Examples a batch, default 32. Data that is batched already stays as it is. */
  readonly batchSize?: number;
  /**
   * A new random order each epoch, drawn from the trainer's seed. Default true, but false for models with `stateful` layers; batched
   * data keeps its order.
   */
  readonly shuffle?: boolean;
  /** Evaluated after each epoch. */
  readonly validationData?: DataLike;
  /** Take this share from the end of the data for validation instead. */
  readonly validationSplit?: number;
  /** Default: `batchSize`. */
  readonly validationBatchSize?: number;
  /** Validate after every this many epochs, default 1. */
  readonly validationFrequency?: number;
  /** Batches an epoch, for data without end. */
  readonly stepsPerEpoch?: number;
  readonly validationSteps?: number;
  /** How much each class counts; see `balancedClassWeights`. */
  readonly classWeight?: ClassWeights;
  readonly callbacks?: readonly Callback[];
  /** 0 silent, 1 a bar, 2 a line an epoch; `auto` (the default) a bar on a terminal, lines elsewhere. */
  readonly verbose?: 0 | 1 | 2 | 'auto';
  /** Where and how progress is shown. */
  readonly progress?: ProgressOptions;
  /**
   * Go on from a checkpoint, bit for bit: weights, optimizer, random numbers, the order of the data, callbacks. The other
   * options must be those of the interrupted call. With `optional`, a missing checkpoint means to begin anew.
   */
  readonly resumeFrom?: string | { readonly path: string; readonly optional?: boolean };
  /** A loss that is NaN or infinite: an error that names the step (the default), or nothing. */
  readonly notFinite?: 'error' | 'ignore';
  /** Ends training between two batches; `fit` then throws `aborted`. */
  readonly signal?: CancelSignal;
}
