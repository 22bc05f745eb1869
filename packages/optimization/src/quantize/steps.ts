import { ModelwrightError } from '@modelwright/core';
import type { OptimizationStep } from '../step.js';
import type { CalibrationData } from './calibrate/observe.js';
import { type EqualizationOptions, equalizeLayers } from './equalize.js';
import { smoothActivations } from './smooth.js';

/**
 * The step that evens out channels between layers, see {@link equalizeLayers}: before quantization with one scale a tensor, say.
 *
 * @example
 * steps: [equalize(), quantize({ mode: 'static', scheme: { perChannel: false } })]
 */
export function equalize(options: EqualizationOptions = {}): OptimizationStep {
  return {
    name: 'equalize channels',
    apply: async (model) => ({ model: equalizeLayers(model, options) }),
  };
}

/** Options of {@link smooth}. */
export interface SmoothStep {
  /** How much of the spread moves from activations into weights: 0 nothing, 1 all. Default 0.5. */
  readonly alpha?: number;
  /** Samples; those of `optimize` by default. */
  readonly calibration?: CalibrationData;
}

/** The step that moves outliers of activations into weights, see {@link smoothActivations}: before either form of quantization. */
export function smooth(options: SmoothStep = {}): OptimizationStep {
  const { alpha = 0.5 } = options;
  return {
    name: `smooth activations α ${alpha}`,
    apply: async (model, { backend, calibration, signal }) => {
      const samples = options.calibration ?? calibration;
      if (samples === undefined)
        throw new ModelwrightError('invalid-argument', 'smooth needs samples of typical inputs', {
          hint: 'pass calibration to optimize or to smooth',
        });
      const observation = { backend, calibration: samples, ...(signal === undefined ? {} : { signal }) };
      return { model: await smoothActivations(model, { ...observation, alpha }) };
    },
  };
}
