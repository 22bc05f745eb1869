import { trainedBy } from '../distil/distil.js';
import type { Train } from '../pipeline/fine-tune.js';
import type { OptimizationStep } from '../step.js';
import { addLora, type LoraOptions } from './add-lora.js';
import { mergeLora, trainableShare } from './merge-lora.js';

export interface LoraStepOptions extends LoraOptions {
  /** How the adapters are trained: a function, or a step that trains (`fineTune`). */
  readonly train: Train | OptimizationStep;
}

/**
 * A step that adapts a model by few weights and merges them: {@link addLora}, training, {@link mergeLora} for `optimize`.
 *
 * @example
 * await optimize(gpt, { backend, steps: [lora({ rank: 4, train: fineTune(train) }), quantize({ mode: 'dynamic' })] });
 */
export function lora({ train, ...options }: LoraStepOptions): OptimizationStep {
  return {
    name: `adapt by rank ${options.rank ?? 8}`,
    trains: true,
    async apply(model, context) {
      const adapted = addLora(model, options);
      const { trainable, share } = trainableShare(adapted);
      const trained = await trainedBy(train, adapted, context);
      return {
        model: mergeLora(trained),
        notes: [`${trainable} weights trained, ${(100 * share).toFixed(2)} % of all`],
      };
    },
  };
}
