import type { Model } from '@modelwright/core';
import type { Observation } from './calibrate/observe.js';
import { type LayerQuantizer, type LayerSensitivity, sensitivityOf } from './sensitivity.js';
import type { Quantized } from './static/quantize-static.js';

/** What a search for layers to keep float has to go by. */
export interface AccuracyBudget {
  /** The measure of the float model. */
  readonly before: number;
  /** By how much it may fall. */
  readonly maxLoss: number;
  /** The user's measure; larger is better. */
  readonly evaluate: (model: Model) => Promise<number>;
}

/** A quantizer whose results carry notes. */
export interface NotedQuantizer extends LayerQuantizer {
  quantize(exclude: readonly string[]): Promise<Quantized>;
}

/** What was found. */
export interface MixedPrecision {
  readonly quantized: Quantized;
  readonly loss: number;
  /** Layers that stay float, the most sensitive first. */
  readonly kept: readonly LayerSensitivity[];
}

/**
 * Keeps as few layers float as an accuracy budget allows: those whose quantization alone changes the outputs most. How many is found by
 * bisection, so that the measure is taken `log₂ layers` times.
 *
 * @returns undefined if the budget is exceeded even with one layer quantized.
 */
export async function searchMixedPrecision(
  model: Model,
  quantizer: NotedQuantizer,
  { before, maxLoss, evaluate, ...observation }: AccuracyBudget & Observation,
): Promise<MixedPrecision | undefined> {
  const ranking = await sensitivityOf(model, quantizer, observation);
  let [low, high] = [1, ranking.length];
  let best: MixedPrecision | undefined;
  while (low < high) {
    const count = Math.floor((low + high) / 2);
    const kept = ranking.slice(0, count);
    const quantized = await quantizer.quantize(kept.map(({ name }) => name));
    const loss = before - (await evaluate(quantized.model));
    if (loss <= maxLoss) [best, high] = [{ quantized, loss, kept }, count];
    else low = count + 1;
  }
  return best;
}
