import type { Model } from '@modelwright/core';
import type { Calibrator } from '../calibrate/calibrate.js';
import type { Observation } from '../calibrate/observe.js';
import type { QuantizationScheme } from '../scheme.js';
import type { LayerSelection } from '../selection.js';
import { StaticQuantizer } from './static-quantizer.js';

export interface StaticQuantizationOptions extends Observation, LayerSelection {
  /** Default: uint8 activations, int8 weights of full range, a scale a channel. */
  readonly scheme?: Partial<QuantizationScheme>;
  /** How activation ranges are chosen. Default `minMax`. */
  readonly calibrator?: Calibrator;
  /** How weight ranges are chosen. Default `max`. */
  readonly weightRange?: 'max' | 'mse';
  /**
   * What becomes of weights without a static integer form, embeddings and recurrent layers: `dynamic` quantizes them as
   * `quantizeDynamic` does. Default `dynamic`.
   */
  readonly rest?: 'dynamic' | 'float';
  /** Makes up in the biases for what rounding does to the mean of each channel. Default false. */
  readonly biasCorrection?: boolean;
  /** Evens out channels between layers that follow each other first, see `equalizeLayers`. Default false. */
  readonly equalize?: boolean;
  /** Moves outliers of activations into weights behind normalizations first, see `smoothActivations`. Default false. */
  readonly smooth?: boolean | { readonly alpha: number };
}

/** A quantized model and what there is to say of it. */
export interface Quantized {
  readonly model: Model;
  readonly notes: readonly string[];
}

/**
 * Quantizes weights and activations to 8 bits, with ranges of activations taken from samples. The result runs in integer kernels
 * wherever a runtime finds `QuantizeLinear` and `DequantizeLinear` around an op, and in float anywhere else.
 *
 * @throws {@link ModelwrightError} `invalid-argument` for a name that means no layer, or without samples.
 * @see Jacob et al., arXiv:1712.05877; Nagel et al., arXiv:2106.08295.
 * @example
 * const small = await quantizeStatic(model, { backend, calibration: [{ image: batch }] });
 */
export async function quantizeStatic(model: Model, options: StaticQuantizationOptions): Promise<Model> {
  const quantizer = await StaticQuantizer.create(model, options);
  return (await quantizer.quantize()).model;
}
