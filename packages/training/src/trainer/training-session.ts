import { type Backend, type Tensor, type TensorMap, type TrainingExtension, tensor } from '@modelwright/core';
import type { Sample } from '../data/index.js';
import { batchRole } from '../program/batch-role.js';
import { feedsOf, learningRateName, stepSlot } from '../program/batch-signature.js';
import { namedMetrics } from '../program/objective.js';
import type { TrainingRecipe } from '../program/training-program.js';
import { type Schedule, toSchedule } from '../schedules/schedule.js';
import { Aggregate, type AggregateState } from './aggregate.js';
import { nameBatch, sizeOf } from './name-batch.js';
import { type Compiled, ProgramCache } from './program-cache.js';
import { type PreparedBatch, runBatches } from './run-batches.js';

/** What came of a batch. */
export interface BatchResult {
  /** Number of the batch over all runs, from 1. */
  readonly step: number;
  readonly compiled: Compiled;
  readonly results: TensorMap;
  readonly examples: number;
}

/** One training under way: its programs and state, the step and the learning rate. */
export class TrainingSession {
  readonly recipe: TrainingRecipe;
  readonly programs: ProgramCache;
  readonly #schedule: Schedule;
  readonly #accumulation: number;
  readonly #hooked: readonly TrainingExtension[];
  /** How many batches are worth giving to the backend at once. */
  readonly batchesAtOnce: number;
  #learningRateFeed: { readonly rate: number; readonly tensor: Tensor } | undefined;
  /** Batches trained on so far. */
  step = 0;
  /** A rate set in place of the schedule. */
  fixedLearningRate: number | undefined;
  /** Batches of the whole run, where known: what schedules stretch over. */
  totalSteps: number | undefined;

  constructor(backend: Backend, recipe: TrainingRecipe) {
    this.recipe = recipe;
    this.programs = new ProgramCache(backend, recipe);
    this.batchesAtOnce = backend.capabilities.runsAtOnce ?? 1;
    this.#schedule = toSchedule(recipe.optimizer.learningRate);
    this.#accumulation = recipe.optimizer.options.gradientAccumulationSteps ?? 1;
    this.#hooked = recipe.extensions.filter((each) => each.beforeStep !== undefined || each.afterStep !== undefined);
  }

  /** An empty aggregate of this training's metrics, or one that goes on. */
  aggregate(state?: AggregateState | null): Aggregate {
    const metrics = this.recipe.objectives.flatMap(namedMetrics);
    return state ? Aggregate.fromJSON(state, metrics) : new Aggregate(metrics);
  }

  /** Whether an extension has something to do when `step` updates have been made, before the next. */
  actsAt(step: number): boolean {
    return this.#hooksAt(step).length > 0;
  }

  /** Learning rate of the next step. */
  get learningRate(): number {
    if (this.fixedLearningRate !== undefined) return this.fixedLearningRate;
    const updates = Math.floor(this.step / this.#accumulation);
    const total = this.totalSteps === undefined ? undefined : Math.ceil(this.totalSteps / this.#accumulation);
    return this.#schedule.at({ step: updates, totalSteps: total });
  }

  /** Starts the training steps on batches, in order; resolves when they are queued. None but the first may begin where extensions act. */
  async begin(samples: readonly Sample[]): Promise<{ readonly done: Promise<readonly BatchResult[]> }> {
    const first = this.step + 1;
    const prepared: PreparedBatch[] = [];
    for (const sample of samples) prepared.push(await this.#prepare(sample));
    return { done: this.#finish(prepared, first) };
  }

  /** State by slot name, the step with it. */
  async readState(): Promise<TensorMap> {
    const state = await this.programs.readState();
    return { [stepSlot]: tensor(BigInt(this.step), { dtype: 'int64', shape: [] }), ...state };
  }

  /** Goes on from a state. */
  async writeState(state: TensorMap, step: number): Promise<void> {
    await this.programs.writeState(state);
    this.step = step;
  }

  async #prepare(sample: Sample): Promise<PreparedBatch> {
    const batch = nameBatch({ model: this.recipe.model, objectives: this.recipe.objectives }, sample);
    const compiled = await this.programs.training(batch, batchRole(this.step, this.#accumulation));
    const { executable } = compiled;
    for (const extension of this.#hooksAt(this.step)) await extension.beforeStep?.({ step: this.step, executable });
    const feeds = feedsOf(batch);
    feeds[learningRateName] = this.#rateTensor();
    this.step++;
    return { compiled, feeds, examples: sizeOf(batch.inputs) };
  }

  async #finish(prepared: readonly PreparedBatch[], first: number): Promise<readonly BatchResult[]> {
    const results = await runBatches(prepared);
    const done = prepared.map(({ compiled, examples }, index) => ({
      ...{ compiled, examples },
      step: first + index,
      results: results[index] as TensorMap,
    }));
    for (const { step, compiled } of done)
      for (const extension of this.#hooksAt(step))
        await extension.afterStep?.({ step, executable: compiled.executable });
    return done;
  }

  #hooksAt(step: number): readonly TrainingExtension[] {
    return this.#hooked.filter((extension) => extension.actsAt?.(step) ?? true);
  }

  #rateTensor(): Tensor {
    const rate = this.learningRate;
    if (this.#learningRateFeed?.rate !== rate) {
      this.#learningRateFeed = { rate, tensor: tensor(rate, { dtype: 'float64', shape: [] }) };
    }
    return this.#learningRateFeed.tensor;
  }
}
