import { type Model, ModelwrightError } from '@modelwright/core';
import type { QuantizationScheme } from '../scheme.js';
import type { LayerSelection } from '../selection.js';
import { DynamicQuantizer } from './dynamic-quantizer.js';

export interface DynamicQuantizationOptions extends LayerSelection {
  /** Default: int8 weights of full range with a scale a channel. Activations are uint8 always. */
  readonly scheme?: Partial<Pick<QuantizationScheme, 'weight' | 'reduceRange' | 'perChannel'>>;
  /** How weight ranges are chosen. Default `max`. */
  readonly weightRange?: 'max' | 'mse';
  /**
   * LSTMs as `runtime`: ONNX Runtime's own `DynamicQuantizeLSTM`, fast and for that runtime alone; or `standard`: integer weights that are made
   * float before the op, smaller only, for any runtime. GRUs and simple RNNs are always `standard`. Default `runtime`.
   */
  readonly recurrent?: 'runtime' | 'standard';
}

/**
 * Quantizes weights of products, attention projections, embeddings and recurrent layers to 8 bits; activations are rounded while the
 * model runs, each time by their own range. Needs no samples. Convolutions stay float.
 *
 * @throws {@link ModelwrightError} `invalid-argument` for a name that means no layer, or if no weight of the model can be quantized.
 */
export function quantizeDynamic(model: Model, options: DynamicQuantizationOptions = {}): Model {
  return dynamicQuantizer(model, options).quantized().model;
}

/** @internal What quantizes a model, if any of its weights can be. */
export function dynamicQuantizer(model: Model, options: DynamicQuantizationOptions): DynamicQuantizer {
  const quantizer = new DynamicQuantizer(model, options);
  const { uses, left } = quantizer.plan();
  if (uses.size === 0) refuse(model, left);
  return quantizer;
}

function refuse(model: Model, left: readonly { readonly name: string; readonly reason: string }[]): never {
  const reasons = left.map(({ name, reason }) => `${name}: ${reason}`).join('; ');
  throw new ModelwrightError(
    'invalid-argument',
    `no weight of model '${model.name}' can be quantized dynamically${reasons === '' ? '' : ` (${reasons})`}`,
    { given: model.name, hint: "quantize({ mode: 'static' }) serves convolutions" },
  );
}
