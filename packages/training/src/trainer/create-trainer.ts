import { type Backend, type Model, ModelwrightError, type TrainingExtension } from '@modelwright/core';
import type { CommonOptimizerOptions, Optimizer } from '../optimizers/optimizer.js';
import { type OptimizerName, toOptimizer } from '../optimizers/optimizer-by-name.js';
import { type ObjectiveOptions, resolveObjectives } from './objectives.js';
import { Trainer } from './trainer.js';

type UpdateOptions = Pick<
  CommonOptimizerOptions,
  'clipValue' | 'clipNorm' | 'globalClipNorm' | 'ema' | 'gradientAccumulationSteps'
>;

/** What a model is trained with. Options of the update given here win over those of the optimizer. */
export interface TrainerOptions extends ObjectiveOptions, UpdateOptions {
  readonly backend: Backend;
  /** By name (with its defaults) or made by its factory. Default `adam`. */
  readonly optimizer?: OptimizerName | Optimizer;
  /** Of everything random: dropout, noise, the order of the data. Default 0. */
  readonly seed?: number;
  /** What other packages add: pruning masks, fake quantization, a teacher. */
  readonly extensions?: readonly TrainingExtension[];
}

/**
 * Prepares a model for training.
 *
 * @throws {@link ModelwrightError} `invalid-argument` for unknown names of losses, metrics, optimizers or outputs, and when
 *   there is no backend.
 * @example
 * const trainer = await createTrainer(model, { backend, optimizer: 'adam', loss: 'meanSquaredError', metrics: ['mae'] });
 * const history = await trainer.fit({ x, y }, { epochs: 5 });
 */
export async function createTrainer(model: Model, options: TrainerOptions): Promise<Trainer> {
  if (typeof options?.backend?.compile !== 'function') {
    throw new ModelwrightError('invalid-argument', 'createTrainer needs a backend to run on', {
      given: options?.backend,
      hint: "backend: await loadBackend('onnxruntime'), or createReferenceBackend() where no runtime is installed",
    });
  }
  const optimizer = toOptimizer(options.optimizer ?? 'adam');
  const update = { ...optimizer.options, ...updateOptions(options) };
  requireCount(update.gradientAccumulationSteps ?? 1);
  return new Trainer(options.backend, {
    model,
    objectives: resolveObjectives(model, options),
    optimizer: { ...optimizer, options: update },
    extensions: options.extensions ?? [],
    seed: options.seed ?? 0,
  });
}

function requireCount(steps: number): void {
  if (Number.isInteger(steps) && steps >= 1) return;
  throw new ModelwrightError('invalid-argument', `gradientAccumulationSteps is ${steps}; an integer ≥ 1 is expected`, {
    given: steps,
  });
}

function updateOptions(options: UpdateOptions): UpdateOptions {
  const { clipValue, clipNorm, globalClipNorm, ema, gradientAccumulationSteps } = options;
  const given = Object.entries({ clipValue, clipNorm, globalClipNorm, ema, gradientAccumulationSteps });
  return Object.fromEntries(given.filter(([, value]) => value !== undefined));
}
