import { Model } from '@modelwright/core';
import type { Train } from '../pipeline/fine-tune.js';
import { detectTarget } from '../quantize/cpu-target.js';
import type { OptimizationStep } from '../step.js';
import { exportQuantized } from './export-quantized.js';
import type { QuantizationAwareOptions } from './options.js';
import { quantizationAware } from './quantization-aware.js';

export interface QuantizeWhileTrainingOptions extends Omit<QuantizationAwareOptions, 'reduceRange'> {
  /** As for {@link quantizationAware}. Default `auto`: where this machine's CPU has no VNNI. */
  readonly reduceRange?: boolean | 'auto';
  /** Type that weights are stored in; with `uint8`, `auto` leaves them all their bits. Default `int8`. */
  readonly weights?: 'int8' | 'uint8';
}

/**
 * The step of `optimize` that trains with rounding and gives the integer model: what quantization after training would lose, training makes
 * good. Zeros and shared centroids of earlier steps are kept.
 *
 * @param train - Trains the model that it is given, with `context.extensions`: as {@link fineTune} takes it. A tenth of the epochs and of
 *   the learning rate of the first training is usually enough.
 * @example
 * quantizeWhileTraining(async (model, { backend, extensions }) => {
 *   const trainer = await createTrainer(model, { backend, extensions, optimizer: adam({ learningRate: 1e-4 }), loss });
 *   await trainer.fit(digits, { epochs: 2 });
 *   await trainer.dispose();
 * }, { freezeStatisticsAfter: 600, freezeRangesAfter: 600 });
 */
export function quantizeWhileTraining(train: Train, options: QuantizeWhileTrainingOptions = {}): OptimizationStep {
  return {
    name: 'quantize int8 while training',
    trains: true,
    requires: { ops: ['QuantizeLinear', 'DequantizeLinear'], dtypes: ['uint8', 'int8'] },
    async apply(model, context) {
      const { weights = 'int8', reduceRange: asked = 'auto', ...rest } = options;
      const { reduceRange, reason } = await rangeOf(asked, { weights, bits: options.weightBits ?? 8 });
      const aware = quantizationAware(model, { ...rest, reduceRange });
      const trained = await train(aware, context);
      const quantized = exportQuantized(trained instanceof Model ? trained : aware, { weights });
      return { model: quantized, notes: notesOf(quantized, { weights, reason }) };
    },
  };
}

async function rangeOf(
  asked: boolean | 'auto',
  { weights, bits }: { readonly weights: 'int8' | 'uint8'; readonly bits: number },
): Promise<{ readonly reduceRange: boolean; readonly reason: string }> {
  if (asked !== 'auto') return { reduceRange: asked, reason: asked ? 'weights of 7 bits, as asked' : 'as asked' };
  if (bits < 8) return { reduceRange: false, reason: `weights of ${bits} bits` };
  if (weights === 'uint8') return { reduceRange: false, reason: 'uint8 weights, which all CPUs sum exactly' };
  const { vnni, reason } = await detectTarget();
  return { reduceRange: !vnni, reason: `${reason}: weights of ${vnni ? 8 : 7} bits` };
}

function notesOf(
  model: Model,
  { weights, reason }: { readonly weights: 'int8' | 'uint8'; readonly reason: string },
): readonly string[] {
  const names = model.parameters.filter(({ value }) => value.dtype === weights).map(({ name }) => name);
  return [`trained as ${weights}: ${names.join(', ')}`, reason];
}
