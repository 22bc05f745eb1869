import { type Backend, type Model, ModelwrightError, type TensorMap } from '@modelwright/core';
import { Dataset, type FieldLike, type SampleLike, toSample } from '../data/index.js';
import { History } from '../history/index.js';
import { createProgress, type ProgressDisplay } from '../progress/index.js';
import type { Logs } from './aggregate.js';
import { type Checkpoint, programState } from './checkpoint.js';
import { type EvaluatedBatch, evaluateBatches, evaluateData, predictData } from './evaluate.js';
import type { FitOptions } from './fit-options.js';
import { FitRun } from './fit-run.js';
import { type DataLike, toBatches, toDataset } from './prepare-data.js';
import { type BatchResult, TrainingSession } from './training-session.js';

export interface EvaluateOptions {
  /** Examples a batch, default 32. Data that is batched already stays as it is. */
  readonly batchSize?: number;
  /** Use only this many batches. */
  readonly steps?: number;
}

/** Loss and metrics with those that are matrices. */
export interface DetailedEvaluation {
  readonly logs: Logs;
  /** Metrics with several numbers, by name: `confusionMatrix`. */
  readonly tensors: TensorMap;
}

/** Trains, evaluates and runs one model on one backend. Made by {@link createTrainer}. */
export class Trainer {
  readonly #session: TrainingSession;
  #epochsTrained = 0;

  constructor(backend: Backend, recipe: TrainingSession['recipe']) {
    this.#session = new TrainingSession(backend, recipe);
  }

  /**
   * The model. Its weights are those of the last `fit`, {@link sync} or checkpoint, not of a run under way; weights set on
   * it are taken over by the next call.
   */
  get model(): Model {
    return this.#session.recipe.model;
  }

  /** Batches trained on so far. */
  get step(): number {
    return this.#session.step;
  }

  /** Learning rate of the next step. */
  get learningRate(): number {
    return this.#session.learningRate;
  }

  /** Fixes the learning rate in place of the optimizer's schedule. */
  set learningRate(learningRate: number) {
    this.#session.fixedLearningRate = learningRate;
  }

  /**
   * Trains for some epochs.
   *
   * @param data - A data set or arrays, with targets.
   * @returns loss, metrics and learning rate of each epoch.
   * @throws {@link ModelwrightError} `invalid-data` for an empty data set, `shape-mismatch` and `value-out-of-range` for
   *   batches that do not fit the model, `not-finite` when the loss is, `checkpoint-mismatch` when resuming from another
   *   training's checkpoint, `aborted`.
   */
  async fit(data: DataLike, options: FitOptions = {}): Promise<History> {
    await this.#session.programs.takeModelWeights();
    const checkpoint = await this.#resume(options);
    const { training, validation } = splitData(toDataset(data), options);
    const run = new FitRun(
      {
        session: this.#session,
        batches: toBatches(training, {
          batchSize: options.batchSize,
          // What a model remembers is of the rows that came before.
          shuffle: options.shuffle ?? this.model.states.length === 0,
          seed: this.#session.recipe.seed,
          steps: options.stepsPerEpoch,
          classWeight: options.classWeight,
        }),
        validation,
        options,
        progress: progressFor(options),
        earlierEpochs: this.#epochsTrained,
        save: (path, under) => this.#write(path, options, under),
      },
      checkpoint,
    );
    const history = await run.run().catch(async (error: unknown) => {
      // What went wrong matters more than whether the weights so far can still be had.
      await this.sync().catch(() => undefined);
      throw error;
    });
    this.#epochsTrained += run.epoch;
    await this.sync();
    return history;
  }

  /**
   * Loss and metrics over a data set, exact whatever the batches.
   *
   * @returns numbers by name, `loss` first; for matrices see {@link evaluateDetailed}.
   */
  async evaluate(data: DataLike, options: EvaluateOptions = {}): Promise<Logs> {
    return (await this.evaluateDetailed(data, options)).logs;
  }

  /** {@link evaluate} with the metrics that are matrices. */
  async evaluateDetailed(data: DataLike, options: EvaluateOptions = {}): Promise<DetailedEvaluation> {
    await this.#session.programs.takeModelWeights();
    const aggregate = await evaluateData(this.#session, toBatches(toDataset(data), options));
    return { logs: aggregate.logs(), tensors: aggregate.tensors() };
  }

  /**
   * The model's outputs for inputs of any number.
   *
   * @param inputs - `[examples, …]`, by input name for several, or a data set.
   * @returns outputs by name, `[examples, …]`.
   */
  async predict(inputs: Dataset | FieldLike, options: EvaluateOptions = {}): Promise<TensorMap> {
    await this.#session.programs.takeModelWeights();
    const data = inputs instanceof Dataset ? inputs : toDataset({ inputs });
    return predictData(this.#session, toBatches(data, options));
  }

  /** One training step. @returns loss and metrics of the batch, before the update. */
  async trainOnBatch(batch: SampleLike): Promise<Logs> {
    await this.#session.programs.takeModelWeights();
    const { done } = await this.#session.begin([toSample(batch)]);
    return this.#logsOf((await done)[0] as BatchResult);
  }

  /** Loss and metrics of one batch, as the model infers. */
  async testOnBatch(batch: SampleLike): Promise<Logs> {
    await this.#session.programs.takeModelWeights();
    const [result] = await evaluateBatches(this.#session, [toSample(batch)]);
    return this.#logsOf(result as EvaluatedBatch);
  }

  /** Makes `stateful` layers start anew: by themselves they go on from batch to batch, as in Keras. */
  async resetStates(): Promise<void> {
    await this.#session.programs.resetStates();
  }

  /** Brings the weights as trained into {@link model}; `fit` does so by itself. */
  async sync(): Promise<Model> {
    await this.#session.programs.giveModelWeights();
    return this.model;
  }

  /**
   * Writes weights, optimizer state and everything else that training needs to go on, atomically: `<path>.json` and a
   * `.safetensors` file beside it.
   *
   * @throws {@link ModelwrightError} `file-unwritable`; an earlier checkpoint is then intact.
   */
  async saveCheckpoint(path: string): Promise<void> {
    await this.#session.programs.takeModelWeights();
    await this.#write(path, {}, undefined);
  }

  /**
   * Takes weights and optimizer state from a checkpoint; to go on with the data, too, use `fit({ resumeFrom })`.
   *
   * @throws {@link ModelwrightError} `file-unreadable`, `invalid-data`, `checkpoint-mismatch`.
   */
  async loadCheckpoint(path: string): Promise<void> {
    const { readCheckpoint } = await import('#files');
    await this.#restore(await readCheckpoint(path));
  }

  /** Frees what the trainer holds on the backend; the backend stays. */
  async dispose(): Promise<void> {
    await this.#session.programs.dispose();
  }

  #logsOf({ compiled, results, examples }: EvaluatedBatch): Logs {
    const aggregate = this.#session.aggregate();
    aggregate.add(compiled.program, results, examples);
    return aggregate.logs();
  }

  async #resume({ resumeFrom, batchSize }: FitOptions): Promise<Checkpoint | undefined> {
    if (resumeFrom === undefined) return undefined;
    const { path, optional = false } = typeof resumeFrom === 'string' ? { path: resumeFrom } : resumeFrom;
    const { checkpointExists, readCheckpoint } = await import('#files');
    if (optional && !(await checkpointExists(path))) return undefined;
    const checkpoint = await readCheckpoint(path);
    const before = checkpoint.notes.batchSize ?? undefined;
    if (before !== batchSize && checkpoint.notes.position.batch > 0) {
      throw new ModelwrightError(
        'checkpoint-mismatch',
        `checkpoint '${path}' lies in the middle of an epoch with batchSize ${before}; ${batchSize} was given`,
        { file: path, given: batchSize, allowed: before },
      );
    }
    await this.#restore(checkpoint);
    return checkpoint;
  }

  async #restore(checkpoint: Checkpoint): Promise<void> {
    const { notes } = checkpoint;
    const { recipe } = this.#session;
    if (notes.optimizer !== recipe.optimizer.name || notes.seed !== recipe.seed) {
      throw new ModelwrightError(
        'checkpoint-mismatch',
        `the checkpoint was written by '${notes.optimizer}' with seed ${notes.seed}; ` +
          `this trainer has '${recipe.optimizer.name}' with seed ${recipe.seed}`,
        { given: [notes.optimizer, notes.seed], allowed: [recipe.optimizer.name, recipe.seed] },
      );
    }
    await this.#session.writeState(programState(checkpoint), notes.step);
    this.#session.fixedLearningRate = notes.learningRate ?? undefined;
    this.#epochsTrained = notes.earlierEpochs;
  }

  async #write(path: string, { batchSize }: FitOptions, run: FitRun | undefined): Promise<void> {
    const { writeCheckpoint } = await import('#files');
    const { recipe, step, fixedLearningRate } = this.#session;
    const { position, running, callbacks } = run?.snapshot() ?? between;
    await writeCheckpoint(path, {
      notes: {
        format: 'modelwright-checkpoint',
        version: 1,
        model: recipe.model.name,
        optimizer: recipe.optimizer.name,
        seed: recipe.seed,
        step,
        earlierEpochs: this.#epochsTrained,
        position,
        batchSize: batchSize ?? null,
        learningRate: fixedLearningRate ?? null,
        running,
        history: (run?.history ?? new History()).toJSON(),
        callbacks: callbacks.notes,
      },
      tensors: { ...(await this.#session.readState()), ...callbacks.tensors },
    });
  }
}

/** Between two calls of `fit` there is no epoch under way. */
const between: ReturnType<FitRun['snapshot']> = {
  position: { epoch: 0, batch: 0 },
  running: null,
  callbacks: { notes: [], tensors: {} },
};

function splitData(
  data: Dataset,
  options: FitOptions,
): { readonly training: Dataset; readonly validation: Dataset | undefined } {
  const { validationData, validationSplit, validationBatchSize, validationSteps: steps } = options;
  const [training, held] = validationSplit === undefined ? [data, undefined] : data.split(validationSplit);
  const validation = validationData === undefined ? held : toDataset(validationData);
  if (validation === undefined) return { training, validation };
  const batchSize = validation.batched ? undefined : (validationBatchSize ?? options.batchSize);
  return { training, validation: toBatches(validation, { batchSize, steps }) };
}

function progressFor({ verbose = 'auto', progress = {} }: FitOptions): ProgressDisplay {
  if (verbose === 'auto') return createProgress(progress);
  return createProgress({ ...progress, style: verbose === 0 ? 'silent' : verbose === 1 ? 'bar' : 'lines' });
}
