import { ModelwrightError } from '@modelwright/core';
import type { LayerSelection } from '../quantize/selection.js';

/** How a model is made ready for training with rounding. Steps are batches trained on. */
export interface QuantizationAwareOptions extends LayerSelection {
  /**
   * `observed`: activations round within a moving average of their smallest and largest numbers, weights within their own.
   * `learned`: a factor of each of these ranges is trained along with the weights, as step sizes in LSQ. Default `observed`.
   */
  readonly ranges?: 'observed' | 'learned';
  /** Bits of weights, 4 to 8. Default 8. */
  readonly weightBits?: number;
  /** Bits of activations, 4 to 8. Default 8. Fewer than 8 are stored as 8, behind a `Clip`. */
  readonly activationBits?: number;
  /** One scale for each output channel of a weight rather than one for all. Default true. */
  readonly perChannel?: boolean;
  /** 7 bits for weights of 8, where the target adds up products in 16 bits (x86 without VNNI). Default false. */
  readonly reduceRange?: boolean;
  /** Steps before anything is rounded; ranges are observed from the first. Default 0. */
  readonly delay?: number;
  /** Steps after which batch normalization uses its running statistics and keeps them. Default never. */
  readonly freezeStatisticsAfter?: number;
  /** Steps after which ranges are observed no more. Default never; 100 for learned ones, whose trained factor goes on. */
  readonly freezeRangesAfter?: number;
  /** Share that a range keeps of itself at each step. Default 0.99; the first steps are averaged evenly. */
  readonly momentum?: number;
}

/** Options with everything decided. */
export type ResolvedOptions = Required<Omit<QuantizationAwareOptions, 'include' | 'exclude'>>;

const defaults: ResolvedOptions = {
  ranges: 'observed',
  weightBits: 8,
  activationBits: 8,
  perChannel: true,
  reduceRange: false,
  delay: 0,
  freezeStatisticsAfter: Number.POSITIVE_INFINITY,
  freezeRangesAfter: Number.POSITIVE_INFINITY,
  momentum: 0.99,
};
const learnedWarmup = 100;

/**
 * Fills in what is left out.
 *
 * @throws {@link ModelwrightError} `invalid-argument` naming the option that makes no sense.
 */
export function resolveOptions({ include: _, exclude: __, ...given }: QuantizationAwareOptions): ResolvedOptions {
  const { ranges } = given;
  const warmup = ranges === 'learned' ? { freezeRangesAfter: learnedWarmup } : {};
  const options: ResolvedOptions = { ...defaults, ...warmup, ...given };
  if (options.ranges !== 'observed' && options.ranges !== 'learned')
    refuse('ranges', options.ranges, 'observed, learned');
  for (const name of ['weightBits', 'activationBits'] as const) {
    const bits = options[name];
    if (!Number.isInteger(bits) || bits < 4 || bits > 8) refuse(name, bits, 'integers from 4 to 8');
  }
  for (const name of ['delay', 'freezeStatisticsAfter', 'freezeRangesAfter'] as const) {
    if (!(options[name] >= 0)) refuse(name, options[name], 'numbers of steps from 0');
  }
  if (!(options.momentum >= 0 && options.momentum < 1))
    refuse('momentum', options.momentum, 'numbers from 0 to below 1');
  if (options.reduceRange && options.weightBits !== 8)
    refuse('reduceRange', true, 'false where weights have fewer bits');
  return options;
}

function refuse(name: string, given: unknown, allowed: string): never {
  throw new ModelwrightError('invalid-argument', `${name} is ${String(given)}; allowed: ${allowed}`, {
    given,
    allowed,
  });
}
