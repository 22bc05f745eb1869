import { ModelwrightError, type TensorMap } from '@modelwright/core';
import type { Callback, TrainingRun } from '../callbacks/callback.js';
import type { Dataset, Sample } from '../data/index.js';
import { History } from '../history/index.js';
import type { ProgressDisplay } from '../progress/index.js';
import type { Aggregate, Logs } from './aggregate.js';
import { type Checkpoint, restoreCallbacks, snapshotCallbacks, type TrainingPosition } from './checkpoint.js';
import { evaluateData } from './evaluate.js';
import type { FitOptions } from './fit-options.js';
import { groupSamples } from './group-samples.js';
import { longestInUse, runPipeline } from './pipeline.js';
import type { BatchResult, TrainingSession } from './training-session.js';

/** What a run needs; the trainer prepares it from `fit`'s arguments. */
export interface FitPlan {
  readonly session: TrainingSession;
  readonly batches: Dataset;
  readonly validation: Dataset | undefined;
  readonly options: FitOptions;
  readonly progress: ProgressDisplay;
  /** Epochs of earlier calls of `fit`: data is ordered anew for each epoch ever trained. */
  readonly earlierEpochs: number;
  /** Writes a checkpoint of the run. */
  readonly save: (path: string, run: FitRun) => Promise<void>;
}

/** One call of `fit`. */
export class FitRun implements TrainingRun {
  readonly history: History;
  readonly epochs: number;
  readonly #plan: FitPlan;
  readonly #callbacks: readonly Callback[];
  #position: TrainingPosition;
  #aggregate: Aggregate;
  /** Batches of the epoch that have been begun; those that have ended are in the position. */
  #begun = 0;
  #stopped = false;
  #requested: string[] = [];

  constructor(plan: FitPlan, checkpoint?: Checkpoint) {
    this.#plan = plan;
    this.#callbacks = plan.options.callbacks ?? [];
    this.epochs = plan.options.epochs ?? 1;
    const notes = checkpoint?.notes;
    this.#position = notes?.position ?? { epoch: 0, batch: 0 };
    this.#aggregate = plan.session.aggregate(notes?.running);
    this.history = notes === undefined ? new History() : History.fromJSON(notes.history);
    if (checkpoint !== undefined) restoreCallbacks(this.#callbacks, checkpoint);
    this.#planSteps();
  }

  get epoch(): number {
    return this.#position.epoch;
  }

  get step(): number {
    return this.#plan.session.step;
  }

  get learningRate(): number {
    return this.#plan.session.learningRate;
  }

  setLearningRate(learningRate: number): void {
    this.#plan.session.fixedLearningRate = learningRate;
  }

  stop(): void {
    this.#stopped = true;
  }

  readWeights(): Promise<TensorMap> {
    return this.#plan.session.programs.readWeights();
  }

  writeWeights(weights: TensorMap): Promise<void> {
    return this.#plan.session.programs.writeWeights(weights);
  }

  resetStates(): Promise<void> {
    return this.#plan.session.programs.resetStates();
  }

  requestCheckpoint(path: string): void {
    this.#requested.push(path);
  }

  /** What a checkpoint keeps of this run, beside the session's state. */
  snapshot(): {
    readonly position: TrainingPosition;
    readonly running: ReturnType<Aggregate['toJSON']> | null;
    readonly callbacks: ReturnType<typeof snapshotCallbacks>;
  } {
    return {
      position: this.#position,
      running: this.#position.batch === 0 ? null : this.#aggregate.toJSON(),
      callbacks: snapshotCallbacks(this.#callbacks),
    };
  }

  /** Trains to the end. */
  async run(): Promise<History> {
    const { progress } = this.#plan;
    try {
      await this.#notify((each) => each.onTrainBegin?.(this));
      while (this.#position.epoch < this.epochs && !this.#stopped) await this.#trainEpoch();
      await this.#notify((each) => each.onTrainEnd?.(this));
    } finally {
      progress.stop();
    }
    return this.history;
  }

  async #trainEpoch(): Promise<void> {
    const { batches, progress, earlierEpochs, session } = this.#plan;
    const { epoch, batch } = this.#position;
    if (batch === 0) {
      this.#aggregate = session.aggregate();
      await this.#notify((each) => each.onEpochBegin?.(epoch, this));
      this.#position = { epoch, batch, learningRate: this.learningRate };
    }
    this.#begun = batch;
    progress.startEpoch({ epoch: epoch + 1, epochs: this.epochs, steps: batches.cardinality });
    const recycleAfter = session.batchesAtOnce === 1 ? { recycleAfter: longestInUse } : {};
    const pass = { epoch: earlierEpochs + epoch, skip: batch, ...recycleAfter };
    await runPipeline(
      groupSamples(batches.epoch(pass), () => this.#groupSize()),
      {
        begin: (samples) => this.#beginBatches(samples),
        end: (results) => this.#endBatches(results),
        isExclusive: () => session.actsAt(session.step) || this.#batchCallbacks(session.step).length > 0,
      },
    );
    await this.#endEpoch(epoch);
  }

  /** Batches that are given to the backend at once; one that a callback watches goes alone. */
  #groupSize(): number {
    const { session } = this.#plan;
    const mayFollow = (size: number): boolean =>
      !session.actsAt(session.step + size) && this.#batchCallbacks(session.step + size + 1).length === 0;
    if (this.#batchCallbacks(session.step + 1).length > 0) return 1;
    let size = 1;
    while (size < session.batchesAtOnce && mayFollow(size)) size++;
    return size;
  }

  async #beginBatches(samples: readonly Sample[]): Promise<{ readonly done: Promise<readonly BatchResult[]> }> {
    const { session, options } = this.#plan;
    if (options.signal?.aborted) {
      throw new ModelwrightError('aborted', `training was aborted before step ${session.step + 1}`, {
        cause: options.signal.reason,
      });
    }
    const batch = this.#begun;
    this.#begun += samples.length;
    for (const each of this.#batchCallbacks(session.step + 1)) await each.onBatchBegin?.(batch, this);
    return session.begin(samples);
  }

  async #endBatches(results: readonly BatchResult[]): Promise<boolean> {
    for (const result of results) if (!(await this.#endBatch(result))) return false;
    return true;
  }

  async #endBatch({ compiled, results, examples, step }: BatchResult): Promise<boolean> {
    const { progress } = this.#plan;
    const { batch } = this.#position;
    this.#aggregate.add(compiled.program, results, examples);
    this.#position = { ...this.#position, batch: batch + 1 };
    if (!Number.isFinite(this.#aggregate.lastLoss)) await this.#reportNotFinite(batch);
    progress.step(batch + 1, this.#aggregate.logs());
    const callbacks = this.#batchCallbacks(step);
    if (callbacks.length > 0) {
      const logs = this.#aggregate.logs();
      for (const each of callbacks) await each.onBatchEnd?.(batch, logs, this);
      await this.#writeRequested();
    }
    return !this.#stopped;
  }

  /** Those that want to see batch number `step` (from 1, over all runs). */
  #batchCallbacks(step: number): readonly Callback[] {
    return this.#callbacks.filter(
      ({ onBatchBegin, onBatchEnd, batchFrequency = 1 }) =>
        (onBatchBegin !== undefined || onBatchEnd !== undefined) && step % batchFrequency === 0,
    );
  }

  async #endEpoch(epoch: number): Promise<void> {
    const { validation, options, progress, session } = this.#plan;
    const logs: { [name: string]: number } = { ...this.#aggregate.logs() };
    if (validation !== undefined && (epoch + 1) % (options.validationFrequency ?? 1) === 0) {
      const results = (await evaluateData(session, validation)).logs();
      for (const name in results) logs[`val_${name}`] = results[name] as number;
    }
    logs['learningRate'] = this.#position.learningRate ?? this.learningRate;
    this.history.record(epoch, logs);
    progress.endEpoch(logs);
    await this.#notifyEpochEnd(epoch, logs);
  }

  async #notifyEpochEnd(epoch: number, logs: Logs): Promise<void> {
    for (const each of this.#callbacks) await each.onEpochEnd?.(epoch, logs, this);
    this.#position = { epoch: epoch + 1, batch: 0 };
    await this.#writeRequested();
  }

  async #notify(hook: (callback: Callback) => Promise<void> | void): Promise<void> {
    for (const each of this.#callbacks) await hook(each);
    await this.#writeRequested();
  }

  async #writeRequested(): Promise<void> {
    if (this.#requested.length === 0) return;
    const paths = this.#requested;
    this.#requested = [];
    for (const path of paths) await this.#plan.save(path, this);
  }

  async #reportNotFinite(batch: number): Promise<void> {
    const { options, session } = this.#plan;
    const loss = this.#aggregate.lastLoss;
    const hooks = this.#callbacks.filter(({ onNotFinite }) => onNotFinite !== undefined);
    for (const each of hooks) await each.onNotFinite?.(loss, this);
    if (hooks.length > 0 || options.notFinite === 'ignore') return;
    throw new ModelwrightError(
      'not-finite',
      `the loss became ${loss} in epoch ${this.epoch + 1}, batch ${batch + 1} (learning rate ${session.learningRate}); ` +
        'lower the learning rate, clip gradients (clipNorm), or look for such values in the data',
      { given: loss, hint: 'adam({ learningRate: 1e-4, clipNorm: 1 })' },
    );
  }

  #planSteps(): void {
    const { batches, session } = this.#plan;
    const { cardinality } = batches;
    if (cardinality === undefined || !Number.isFinite(cardinality)) {
      session.totalSteps = undefined;
      return;
    }
    const { epoch, batch } = this.#position;
    const before = session.step - epoch * cardinality - batch;
    session.totalSteps = before + this.epochs * cardinality;
  }
}
