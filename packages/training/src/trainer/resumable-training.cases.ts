import { type Backend, createReferenceBackend } from '@modelwright/core';
import { batchNormalization, dense, dropout, sequential } from '@modelwright/models';
import { earlyStopping } from '../callbacks/early-stopping.js';
import { createRandom, fromArrays } from '../data/index.js';
import type { History } from '../history/index.js';
import type { Optimizer } from '../optimizers/optimizer.js';
import type { OptimizerName } from '../optimizers/optimizer-by-name.js';
import { createTrainer } from './create-trainer.js';
import type { FitOptions } from './fit-options.js';
import type { Trainer } from './trainer.js';

export interface ResumableTrainingOptions {
  readonly backend?: Backend;
  readonly optimizer?: OptimizerName | Optimizer;
  readonly stopEarly?: boolean;
  readonly examples?: number;
}

/** A training with everything that could go out of step: dropout, running statistics, shuffling, a short last batch. */
export async function trainingRun({
  backend = createReferenceBackend(),
  optimizer = 'adam',
  stopEarly = false,
  examples = 46,
}: ResumableTrainingOptions): Promise<{
  readonly trainer: Trainer;
  fit(options?: FitOptions): Promise<History>;
}> {
  const random = createRandom(4);
  const uniform = (): number => random.nextUint32() / 2 ** 31 - 1;
  const x = Array.from({ length: examples }, () => [uniform(), uniform(), uniform(), uniform()]);
  const y = x.map(([a, b]) => ((a as number) > (b as number) ? 1 : 0));
  const model = sequential({
    inputShape: [4],
    seed: 2,
    layers: [
      dense({ units: 6, activation: 'tanh' }),
      batchNormalization(),
      dropout({ rate: 0.3 }),
      dense({ units: 2, activation: 'softmax' }),
    ],
  });
  const trainer = await createTrainer(model, {
    backend,
    optimizer,
    loss: 'sparseCategoricalCrossentropy',
    metrics: ['accuracy', 'auc'],
    seed: 3,
  });
  const data = fromArrays({ x, y });
  // A bound that no improvement reaches makes it stop after its patience.
  const stopping = stopEarly
    ? [earlyStopping({ monitor: 'loss', patience: 3, minDelta: 10, restoreBestWeights: true })]
    : [];
  return {
    trainer,
    fit: (options = {}) =>
      trainer.fit(data, {
        epochs: 6,
        batchSize: 8,
        validationData: data,
        verbose: 0,
        ...options,
        callbacks: [...stopping, ...(options.callbacks ?? [])],
      }),
  };
}
