import {
  type Backend,
  type Executable,
  extensionSlots,
  initialStates,
  type Model,
  ModelwrightError,
  type Parameter,
  type Tensor,
  type TensorMap,
  type TrainingExtension,
} from '@modelwright/core';
import type { BatchRole } from '../program/batch-role.js';
import { type NamedBatch, signatureKey, signatureOf } from '../program/batch-signature.js';
import { evaluationProgram } from '../program/evaluation-program.js';
import { liveParameters } from '../program/forward-graph.js';
import { extensionSlot } from '../program/program-extensions.js';
import { type ObjectiveProgram, type TrainingRecipe, trainingProgram } from '../program/training-program.js';
import { averageSlot } from '../program/update.js';

/** A program and what the backend made of it. */
export interface Compiled {
  readonly program: ObjectiveProgram;
  readonly executable: Executable;
}

/** What an evaluation program computes. */
export type EvaluationKind = 'evaluate' | 'predict';

/**
 * The executables of one trainer by batch signature. All of them share the state of the first training program, so batches of
 * any size train the same weights, and evaluation sees them as they are. Before any training, evaluation has the weights
 * as constants.
 */
export class ProgramCache {
  readonly #backend: Backend;
  readonly #recipe: TrainingRecipe;
  readonly #training: Map<string, Promise<Compiled>> = new Map();
  readonly #evaluation: Map<string, Promise<Compiled>> = new Map();
  #owner: Executable | undefined;
  /** Holds what the model remembers from run to run, as long as nothing has been trained. */
  #remembering: Promise<Compiled> | undefined;
  /** Slots of the owner. */
  #slots: ReadonlySet<string> = new Set();
  /** State for slots of a training program that is not there yet. */
  #waiting: TensorMap = {};
  /** Whether state that the next training program has no slot for may be forgotten. */
  #forgets = false;
  /** The weight tensors of the model that the executables know. */
  readonly #known: Map<string, Tensor> = new Map();
  /** The parameters that training changes, as programs were built with them. */
  #live: readonly Parameter[] = [];

  constructor(backend: Backend, recipe: TrainingRecipe) {
    this.#backend = backend;
    this.#recipe = recipe;
    this.#rememberWeights();
  }

  get model(): Model {
    return this.#recipe.model;
  }

  /** The executable that holds the state; undefined before the first training batch. */
  get owner(): Executable | undefined {
    return this.#owner;
  }

  /** The training step for batches like `batch`. */
  training(batch: NamedBatch, role: BatchRole): Promise<Compiled> {
    const key = `${role}|${signatureKey(batch)}`;
    const known = this.#training.get(key);
    if (known !== undefined) return known;
    const compiled = this.#compileTraining(batch, role);
    return remember(this.#training, key, compiled);
  }

  /** Loss, metrics or outputs for batches like `batch`. */
  evaluation(batch: NamedBatch, kind: EvaluationKind): Promise<Compiled> {
    const key = `${kind}|${signatureKey(batch)}`;
    const known = this.#evaluation.get(key);
    if (known !== undefined) return known;
    const compiled = remember(this.#evaluation, key, this.#compileEvaluation(batch, kind));
    if (this.#owner === undefined && this.model.states.length > 0) this.#remembering ??= compiled;
    return compiled;
  }

  /** Makes the model forget what it remembers from run to run. */
  async resetStates(): Promise<void> {
    const states = initialStates(this.model);
    this.#waiting = withoutSlots(this.#waiting, Object.keys(states));
    const holder = this.#owner ?? (await this.#remembering)?.executable;
    await holder?.writeState(states);
  }

  /** Takes over what the user has done to the model since the executables last saw it: weights set, layers (un)frozen. */
  async takeModelWeights(): Promise<void> {
    const changed = this.model.parameters.filter((each) => this.#known.get(each.name) !== this.model.weightOf(each));
    const live = liveParameters(this.model);
    const isLive = new Set(live.map(({ name }) => name));
    const sameLive = live.length === this.#live.length && this.#live.every(({ name }) => isLive.has(name));
    if (changed.length === 0 && sameLive) return;
    // What is not live is a constant of every program.
    if (!sameLive || changed.some(({ name }) => !isLive.has(name))) await this.#startOver(changed);
    this.#rememberWeights();
    if (this.#owner === undefined) {
      const set = changed.flatMap(({ name }) => [name, averageSlot(name)]);
      this.#waiting = withoutSlots(this.#waiting, set);
      return this.#dropEvaluation();
    }
    await this.writeWeights(Object.fromEntries(changed.map((each) => [each.name, this.model.weightOf(each)])));
  }

  /** Gives the model the weights as trained. */
  async giveModelWeights(): Promise<void> {
    if (this.#owner === undefined) return;
    this.model.setWeights(await this.readWeights());
    this.#rememberWeights();
    for (const extension of this.#recipe.extensions) await this.#synchronize(extension, this.#owner);
  }

  /** The weights as trained, by name: their moving averages, where those are kept. */
  async readWeights(): Promise<TensorMap> {
    const parameters = this.#live;
    if (this.#owner === undefined) {
      return Object.fromEntries(parameters.map((parameter) => [parameter.name, this.model.weightOf(parameter)]));
    }
    const state = await this.#owner.readState(parameters.map((parameter) => this.#slotOf(parameter)));
    return Object.fromEntries(parameters.map((each) => [each.name, state[this.#slotOf(each)] as Tensor]));
  }

  /** Replaces weights by name, and their moving averages. */
  async writeWeights(weights: TensorMap): Promise<void> {
    if (this.#owner === undefined) {
      this.model.setWeights(weights);
      return this.takeModelWeights();
    }
    const values: { [slot: string]: Tensor } = {};
    for (const parameter of this.#live) {
      const weight = weights[parameter.name];
      if (weight !== undefined) for (const slot of [parameter.name, this.#slotOf(parameter)]) values[slot] = weight;
    }
    await this.#owner.writeState(values);
  }

  /** All state by slot name; what is not known yet is left out. */
  async readState(): Promise<TensorMap> {
    if (this.#owner !== undefined) return this.#owner.readState();
    const weights = this.#live.map((parameter) => [parameter.name, this.model.weightOf(parameter)]);
    return { ...Object.fromEntries(weights), ...this.#waiting, ...(await this.#rememberedStates()) };
  }

  /** Replaces state by slot name. Weights go to the model, too. */
  async writeState(state: TensorMap): Promise<void> {
    const parameters = this.#live.filter(({ name }) => state[name] !== undefined);
    this.model.setWeights(
      Object.fromEntries(
        parameters.map((each) => [each.name, (state[averageSlot(each.name)] ?? state[each.name]) as Tensor]),
      ),
    );
    this.#rememberWeights();
    if (this.#owner !== undefined) return this.#owner.writeState(state);
    await this.#dropEvaluation();
    this.#waiting = { ...this.#waiting, ...state };
  }

  async dispose(): Promise<void> {
    const all = [...this.#evaluation.values(), ...this.#training.values()];
    this.#evaluation.clear();
    this.#training.clear();
    this.#remembering = undefined;
    const executables = (await Promise.allSettled(all)).flatMap((each) =>
      each.status === 'fulfilled' ? [each.value.executable] : [],
    );
    executables.reverse();
    for (const executable of executables) if (executable !== this.#owner) await executable.dispose();
    await this.#owner?.dispose();
    this.#owner = undefined;
    this.#slots = new Set();
  }

  async #compileTraining(batch: NamedBatch, role: BatchRole): Promise<Compiled> {
    // The first program must hold every slot, which only updating ones do.
    if (this.#owner === undefined && role !== 'update') await this.training(batch, 'update');
    if (this.#owner === undefined) this.#waiting = { ...this.#waiting, ...(await this.#rememberedStates()) };
    const program = trainingProgram(this.#recipe, signatureOf(batch), role);
    if (this.#owner !== undefined) return { program, executable: await this.#compile(program, role) };
    const started = { ...program, state: program.state.map((slot) => ({ ...slot, initial: this.#initial(slot) })) };
    if (!this.#forgets) requireKnownSlots(this.model, started, this.#waiting);
    const executable = await this.#compile(started, role);
    this.#owner = executable;
    this.#slots = new Set(started.state.map(({ name }) => name));
    this.#waiting = {};
    this.#forgets = false;
    await this.#dropEvaluation();
    return { program, executable };
  }

  #initial({ name, initial }: { readonly name: string; readonly initial: Tensor }): Tensor {
    return this.#waiting[name] ?? initial;
  }

  async #compileEvaluation(batch: NamedBatch, kind: EvaluationKind): Promise<Compiled> {
    const { model, objectives } = this.#recipe;
    const program = evaluationProgram({
      model,
      signature: signatureOf(batch),
      objectives: kind === 'evaluate' ? objectives : [],
      live: this.#owner === undefined ? [] : this.#live,
      slotOf: (parameter) => this.#slotOf(parameter),
      withOutputs: kind === 'predict',
    });
    const first = this.#remembering;
    const state = program.state.map((slot) => ({ ...slot, initial: this.#initial(slot) }));
    return { program, executable: await this.#compile({ ...program, state }, kind, (await first)?.executable) };
  }

  #compile(program: ObjectiveProgram, name: string, remembering?: Executable): Promise<Executable> {
    const options = { name: `${this.model.name}.${name}` };
    const shareState = this.#owner ?? remembering;
    return this.#backend.compile(program, shareState === undefined ? options : { ...options, shareState });
  }

  /** What the model remembers while nothing has been trained. */
  async #rememberedStates(): Promise<TensorMap> {
    const holder = await this.#remembering;
    return holder === undefined ? {} : holder.executable.readState(this.model.states.map(({ name }) => name));
  }

  async #synchronize(extension: TrainingExtension, owner: Executable): Promise<void> {
    if (extension.synchronize === undefined) return;
    const all = extensionSlots(extension, this.model);
    const slots = all.map(({ name }) => [name, extensionSlot(extension.name, name)] as const);
    const state = await owner.readState(slots.map(([, full]) => this.#averageOr(full)));
    const named = slots.map(([name, full]) => [name, state[this.#averageOr(full)] as Tensor]);
    await extension.synchronize(Object.fromEntries(named));
  }

  // Evaluation and the model itself use averages where training keeps them.
  #slotOf({ name }: Parameter): string {
    return this.#averageOr(name);
  }

  #averageOr(name: string): string {
    const average = averageSlot(name);
    return this.#slots.has(average) || this.#waiting[average] !== undefined ? average : name;
  }

  #rememberWeights(): void {
    this.#live = liveParameters(this.model);
    for (const parameter of this.model.parameters) this.#known.set(parameter.name, this.model.weightOf(parameter));
  }

  // Programs are built anew; state goes over to them.
  async #startOver(changed: readonly Parameter[]): Promise<void> {
    if (this.#owner === undefined) return;
    const set = new Set(changed.map(({ name }) => name));
    const trained = Object.entries(await this.readWeights()).filter(([name]) => !set.has(name));
    const state = await this.#owner.readState();
    this.model.setWeights(Object.fromEntries(trained));
    await this.dispose();
    this.#waiting = state;
    this.#forgets = true;
  }

  async #dropEvaluation(): Promise<void> {
    this.#waiting = { ...this.#waiting, ...(this.#owner === undefined ? await this.#rememberedStates() : {}) };
    this.#remembering = undefined;
    // The first may hold the state of the others.
    const old = [...this.#evaluation.values()].reverse();
    this.#evaluation.clear();
    for (const compiled of old) await (await compiled).executable.dispose();
  }
}

// A failed compilation is not kept: the next call tries again.
function remember(cache: Map<string, Promise<Compiled>>, key: string, compiled: Promise<Compiled>): Promise<Compiled> {
  cache.set(key, compiled);
  compiled.catch(() => cache.delete(key));
  return compiled;
}

function withoutSlots(state: TensorMap, names: readonly string[]): TensorMap {
  return Object.fromEntries(Object.entries(state).filter(([name]) => !names.includes(name)));
}

function requireKnownSlots(model: Model, { state }: ObjectiveProgram, waiting: TensorMap): void {
  const slots = new Set(state.map(({ name }) => name));
  const unknown = Object.keys(waiting).filter((name) => !slots.has(name));
  if (unknown.length === 0) return;
  throw new ModelwrightError(
    'checkpoint-mismatch',
    `the checkpoint has state that training '${model.name}' does not: ${unknown.slice(0, 5).join(', ')}; ` +
      'model, optimizer and extensions must be those it was written with',
    { given: unknown },
  );
}
