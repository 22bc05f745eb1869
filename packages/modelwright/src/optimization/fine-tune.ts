import type { Model } from '@modelwright/core';
import {
  fineTune as fineTuneWith,
  type OptimizationContext,
  type OptimizationStep,
  type Train,
} from '@modelwright/optimization';
import { callback, createTrainer, type DataLike, type FitOptions, type TrainerOptions } from '@modelwright/training';

/** What a model is trained on with: the options of `createTrainer` and of `fit`, and the data. */
export interface FineTuneOptions
  extends Omit<TrainerOptions, 'backend' | 'extensions'>,
    Omit<FitOptions, 'resumeFrom' | 'signal'> {
  readonly data: DataLike;
  /** Default that of the pipeline. */
  readonly backend?: TrainerOptions['backend'];
  /** Added to those that earlier steps of the pipeline want kept. */
  readonly extensions?: TrainerOptions['extensions'];
}

/**
 * The step of `optimize` that trains the model on, so that what pruning or quantization took away comes back. What earlier
 * steps want kept (pruned weights at zero, shared centroids) stays kept.
 *
 * @param options - Data and options of training, or a function that trains the model it is given.
 * @example
 * optimize(model, { backend, steps: [
 *   pruneChannels({ ratio: 0.5 }),
 *   fineTune({ data: digits, epochs: 2, optimizer: adam({ learningRate: 3e-4 }), loss: 'sparseCategoricalCrossentropy' }),
 * ] });
 */
export function fineTune(options: FineTuneOptions | Train): OptimizationStep {
  if (typeof options === 'function') return fineTuneWith(options);
  const { epochs = 1 } = options;
  return fineTuneWith((model, context) => trainOn(model, options, context), {
    name: `fine-tune ${epochs} epoch${epochs === 1 ? '' : 's'}`,
  });
}

async function trainOn(model: Model, options: FineTuneOptions, context: OptimizationContext): Promise<void> {
  const { data, backend = context.backend, extensions = [], callbacks = [], verbose = 0, ...others } = options;
  const { epochs = 1 } = options;
  const trainer = await createTrainer(model, {
    ...others,
    backend,
    extensions: [...context.extensions, ...extensions],
  });
  const tell = callback({ onEpochEnd: (epoch) => context.progress?.(epoch + 1, epochs, 'epochs') });
  try {
    await trainer.fit(data, {
      ...others,
      verbose,
      callbacks: [...callbacks, tell],
      ...(context.signal === undefined ? {} : { signal: context.signal }),
    });
  } finally {
    await trainer.dispose();
  }
}
