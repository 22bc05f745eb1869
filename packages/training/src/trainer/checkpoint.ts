import { ModelwrightError, type TensorMap } from '@modelwright/core';
import type { Callback, CallbackState, JsonValue } from '../callbacks/callback.js';
import type { HistoryData } from '../history/index.js';
import type { AggregateState } from './aggregate.js';

/** Where in the data training stands. */
export interface TrainingPosition {
  /** Epoch under way or to begin with, from 0. */
  readonly epoch: number;
  /** Batches of it that have been trained on. */
  readonly batch: number;
  /** Learning rate at the beginning of the epoch; that of none before its first batch. */
  readonly learningRate?: number;
}

/** Everything about a training run that is not a tensor. */
export interface CheckpointNotes {
  readonly format: 'modelwright-checkpoint';
  readonly version: 1;
  readonly model: string;
  readonly optimizer: string;
  readonly seed: number;
  /** Batches trained on so far. */
  readonly step: number;
  /** Epochs of earlier calls of `fit`. */
  readonly earlierEpochs: number;
  readonly position: TrainingPosition;
  /** Examples a batch, where `fit` does the batching. */
  readonly batchSize: number | null;
  /** A rate that a callback has set in place of the schedule. */
  readonly learningRate: number | null;
  /** Loss and metrics of the epoch under way. */
  readonly running: AggregateState | null;
  readonly history: HistoryData;
  readonly callbacks: readonly { readonly name: string; readonly values: JsonValue }[];
}

/** A training run at one moment. */
export interface Checkpoint {
  readonly notes: CheckpointNotes;
  /** Weights, optimizer slots, averages, counters by slot name; callbacks' tensors beside them. */
  readonly tensors: TensorMap;
}

const callbackPrefix = 'callbacks.';

/** What the callbacks remember, as parts of a checkpoint. */
export function snapshotCallbacks(callbacks: readonly Callback[]): {
  readonly notes: CheckpointNotes['callbacks'];
  readonly tensors: TensorMap;
} {
  const states = callbacks.map((each) => ({ name: each.name, state: each.snapshot?.() ?? { values: null } }));
  const tensors = states.flatMap(({ state }, index) =>
    Object.entries(state.tensors ?? {}).map(([name, tensor]) => [`${callbackPrefix}${index}.${name}`, tensor] as const),
  );
  return {
    notes: states.map(({ name, state }) => ({ name, values: state.values })),
    tensors: Object.fromEntries(tensors),
  };
}

/** Gives callbacks back what they remembered: by name, those of equal name in order. */
export function restoreCallbacks(callbacks: readonly Callback[], { notes, tensors }: Checkpoint): void {
  const left = notes.callbacks.map((each, index) => ({ ...each, index }));
  for (const each of callbacks) {
    const at = left.findIndex(({ name }) => name === each.name);
    const [found] = at < 0 ? [] : left.splice(at, 1);
    if (found === undefined) continue;
    const prefix = `${callbackPrefix}${found.index}.`;
    const own = Object.entries(tensors).filter(([name]) => name.startsWith(prefix));
    const state: CallbackState = {
      values: found.values,
      ...(own.length === 0
        ? {}
        : { tensors: Object.fromEntries(own.map(([name, tensor]) => [name.slice(prefix.length), tensor])) }),
    };
    each.restore?.(state);
  }
}

/** The tensors of a checkpoint that are state of the training program. */
export function programState({ tensors }: Checkpoint): TensorMap {
  return Object.fromEntries(Object.entries(tensors).filter(([name]) => !name.startsWith(callbackPrefix)));
}

/** Notes from JSON; throws `checkpoint-mismatch` for anything that is none. */
export function parseNotes(text: string, path: string): CheckpointNotes & { readonly tensors: string } {
  let parsed: Partial<CheckpointNotes & { tensors: string }> | null;
  try {
    parsed = JSON.parse(text) as Partial<CheckpointNotes & { tensors: string }> | null;
  } catch (cause) {
    throw new ModelwrightError('checkpoint-mismatch', `'${path}' is not a checkpoint: it is not JSON`, {
      file: path,
      cause,
    });
  }
  if (parsed?.format !== 'modelwright-checkpoint' || parsed.version !== 1 || typeof parsed.tensors !== 'string') {
    throw new ModelwrightError('checkpoint-mismatch', `'${path}' is not a checkpoint of a version that is known here`, {
      file: path,
      given: { format: parsed?.format, version: parsed?.version },
      allowed: { format: 'modelwright-checkpoint', version: 1 },
    });
  }
  return parsed as CheckpointNotes & { tensors: string };
}
