import {
  type Backend,
  coerceInputs,
  type Executable,
  type InputData,
  type Model,
  ModelwrightError,
  type NestedNumbers,
  Tensor,
  type TensorMap,
  tensor,
  toNumbers,
} from '@modelwright/core';
import type { Optimizer } from '../optimizers/optimizer.js';
import { type OptimizerName, toOptimizer } from '../optimizers/optimizer-by-name.js';
import { learningRateName, type TensorTypes } from '../program/batch-signature.js';
import { liveParameters } from '../program/forward-graph.js';
import { type Schedule, toSchedule } from '../schedules/schedule.js';
import { jointSlot } from './applied-models.js';
import { feedName, type JointProgram, jointProgram, resultName } from './joint-program.js';
import type { JointStep, Models } from './joint-step.js';
import { predictionProgram } from './prediction-program.js';

export interface JointTrainerOptions<M extends Models, Step extends string> {
  readonly backend: Backend;
  /** The models, by the names that steps call them. */
  readonly models: M;
  /** The ways of training, by name. */
  readonly steps: { readonly [S in Step]: JointStep<keyof M & string> };
  /** Of everything random: dropout, noise. Default 0. */
  readonly seed?: number;
}

/** What came of a step. */
export interface JointResult {
  /** Before the update. */
  readonly loss: number;
  readonly outputs: TensorMap;
}

interface StepUnderWay {
  readonly step: JointStep;
  readonly optimizer: Optimizer;
  readonly schedule: Schedule;
  /** Executables by the types of what they are fed. */
  readonly compiled: Map<string, Promise<{ readonly program: JointProgram; readonly executable: Executable }>>;
  count: number;
}

/** Trains several models together, by steps of one's own; made by {@link createJointTrainer}. */
export class JointTrainer<M extends Models = Models, Step extends string = string> {
  readonly models: M;
  readonly #backend: Backend;
  readonly #seed: number;
  readonly #steps: Map<string, StepUnderWay>;
  readonly #predictions: Map<string, Promise<Executable>> = new Map();
  /** Holds the state that all share. */
  #owner: Promise<Executable> | undefined;

  constructor({ backend, models, steps, seed = 0 }: JointTrainerOptions<M, Step>) {
    this.models = models;
    this.#backend = backend;
    this.#seed = seed;
    const entries = Object.entries<JointStep<keyof M & string>>(steps);
    this.#steps = new Map(entries.map(([name, step]) => [name, underWay(name, step as JointStep)]));
  }

  /** How often a step was run. */
  count(step: Step): number {
    return this.#step(step).count;
  }

  /**
   * Runs a step once.
   *
   * @param batch - What its loss function takes by `input`; numbers become float32.
   * @returns the loss before the update, and what else the function gave.
   * @throws {@link ModelwrightError} `invalid-argument` for an unknown step or model, `shape-mismatch` for inputs that do not fit.
   */
  async run(step: Step, batch: { readonly [input: string]: Tensor | NestedNumbers }): Promise<JointResult> {
    const underWay = this.#step(step);
    const tensors = Object.entries(batch).map(([name, given]): [string, Tensor] => [
      name,
      given instanceof Tensor ? given : tensor(given),
    ]);
    const key = tensors.map(([name, { dtype, shape }]) => `${name}:${dtype}[${shape}]`).join();
    const known = underWay.compiled.get(key);
    const { program, executable } = await (known ??
      this.#compileStep(step, underWay, { key, types: typesOf(tensors) }));
    const rate = underWay.schedule.at({ step: underWay.count++, totalSteps: undefined });
    const results = await executable.run({
      ...Object.fromEntries(tensors.map(([name, value]) => [feedName(name), value])),
      [learningRateName]: tensor(rate, { dtype: 'float64', shape: [] }),
    });
    return {
      loss: toNumbers(results['loss'] as Tensor)[0] as number,
      outputs: Object.fromEntries(program.outputs.map((name) => [name, results[resultName(name)] as Tensor])),
    };
  }

  /** A model's outputs with the weights as they are now, in the form it infers in. */
  async predict(
    model: keyof M & string,
    inputs: { readonly [name: string]: InputData } | InputData,
  ): Promise<TensorMap> {
    const found = this.models[model] as Model;
    const feeds = coerceInputs(found.graph.inputs, inputs);
    const types = typesOf(Object.entries(feeds));
    const key = `${model}|${Object.entries(feeds).map(([name, { shape }]) => `${name}[${shape}]`)}`;
    const executable = await remember(this.#predictions, key, () =>
      this.#compile(() => predictionProgram({ models: this.models, name: model, inputs: types }), `${model}.predict`),
    );
    const results = await executable.run(
      Object.fromEntries(Object.entries(feeds).map(([name, value]) => [feedName(name), value])),
    );
    return Object.fromEntries(found.graph.outputs.map(({ name }) => [name, results[resultName(name)] as Tensor]));
  }

  /** Brings the weights as trained into {@link models}. */
  async sync(): Promise<M> {
    const executables = await this.#executables();
    const state: { [slot: string]: Tensor } = {};
    for (const executable of executables) Object.assign(state, await executable.readState());
    for (const [name, model] of Object.entries<Model>(this.models)) {
      const trained = liveParameters(model).flatMap((each) => {
        const weight = state[jointSlot(name, each.name)];
        return weight === undefined ? [] : [[each.name, weight] as const];
      });
      model.setWeights(Object.fromEntries(trained));
    }
    return this.models;
  }

  /** Frees what the trainer holds on the backend; the backend stays. */
  async dispose(): Promise<void> {
    const executables = await this.#executables();
    const owner = await this.#owner;
    for (const { compiled } of this.#steps.values()) compiled.clear();
    this.#predictions.clear();
    this.#owner = undefined;
    for (const executable of executables) if (executable !== owner) await executable.dispose();
    await owner?.dispose();
  }

  #step(name: string): StepUnderWay {
    const found = this.#steps.get(name);
    if (found !== undefined) return found;
    const allowed = [...this.#steps.keys()];
    throw new ModelwrightError('invalid-argument', `there is no step '${name}'; there are: ${allowed.join(', ')}`, {
      given: name,
      allowed,
    });
  }

  #compileStep(
    name: string,
    { compiled, step, optimizer }: StepUnderWay,
    { key, types }: { readonly key: string; readonly types: TensorTypes },
  ): Promise<{ readonly program: JointProgram; readonly executable: Executable }> {
    return remember(compiled, key, async () => {
      const program = jointProgram({ name, step, optimizer, models: this.models, seed: this.#seed, inputs: types });
      return { program, executable: await this.#compile(() => program, name) };
    });
  }

  // The first executable owns the state; the others bring in the slots that it lacks.
  #compile(build: () => JointProgram, name: string): Promise<Executable> {
    const before = this.#owner;
    const compiled = (async () => {
      const owner = await before;
      return this.#backend.compile(build(), owner === undefined ? { name } : { name, shareState: owner });
    })();
    if (before === undefined) {
      this.#owner = compiled;
      compiled.catch(() => {
        this.#owner = undefined;
      });
    }
    return compiled;
  }

  async #executables(): Promise<readonly Executable[]> {
    const steps = [...this.#steps.values()].flatMap(({ compiled }) => [...compiled.values()]);
    const settled = await Promise.allSettled([
      ...steps.map(async (each) => (await each).executable),
      ...this.#predictions.values(),
    ]);
    return settled.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  }
}

/**
 * Prepares models that are trained together, by steps of one's own: each step says which models it changes and builds its loss
 * from all of them. Adversarial, contrastive, distilled and multi-task training are written so. All steps share the weights, as
 * state on the backend; what is random, and what each optimizer remembers, is a step's own.
 *
 * @throws {@link ModelwrightError} `invalid-argument` for unknown optimizers and when there is no backend.
 * @example
 * const { generator, discriminator } = dcgan({ imageShape: [28, 28, 1] });
 * const trainer = createJointTrainer({
 *   backend,
 *   models: { generator, discriminator },
 *   steps: {
 *     discriminator: {
 *       trains: 'discriminator',
 *       optimizer: adam({ learningRate: 2e-4, beta1: 0.5 }),
 *       loss: ({ apply, meanLoss, arithmetic, input }) =>
 *         arithmetic.add(
 *           meanLoss('binaryCrossentropy', apply('discriminator', input('real')), 1),
 *           meanLoss('binaryCrossentropy', apply('discriminator', apply('generator', input('noise'))), 0),
 *         ),
 *     },
 *     generator: {
 *       trains: 'generator',
 *       optimizer: adam({ learningRate: 2e-4, beta1: 0.5 }),
 *       loss: ({ apply, meanLoss, input }) =>
 *         meanLoss('binaryCrossentropy', apply('discriminator', apply('generator', input('noise'))), 1),
 *     },
 *   },
 * });
 * const { loss } = await trainer.run('discriminator', { real, noise });
 */
export function createJointTrainer<M extends Models, Step extends string>(
  options: JointTrainerOptions<M, Step>,
): JointTrainer<M, Step> {
  if (typeof options?.backend?.compile !== 'function') {
    throw new ModelwrightError('invalid-argument', 'createJointTrainer needs a backend to run on', {
      given: options?.backend,
    });
  }
  return new JointTrainer(options);
}

function underWay(name: string, step: JointStep): StepUnderWay {
  const optimizer = toOptimizer((step.optimizer ?? 'adam') as OptimizerName | Optimizer);
  const { gradientAccumulationSteps = 1, ema = false } = optimizer.options;
  if (gradientAccumulationSteps !== 1 || ema !== false) {
    throw new ModelwrightError(
      'invalid-argument',
      `step '${name}' cannot accumulate gradients over several batches or keep averages of weights`,
      { given: { gradientAccumulationSteps, ema } },
    );
  }
  return { step, optimizer, schedule: toSchedule(optimizer.learningRate), compiled: new Map(), count: 0 };
}

function typesOf(tensors: readonly (readonly [string, Tensor])[]): TensorTypes {
  return Object.fromEntries(tensors.map(([name, { dtype, shape }]) => [name, { dtype, shape }]));
}

// What failed is not kept: the next call tries again.
function remember<T>(cache: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  const known = cache.get(key);
  if (known !== undefined) return known;
  const made = make();
  cache.set(key, made);
  made.catch(() => cache.delete(key));
  return made;
}
