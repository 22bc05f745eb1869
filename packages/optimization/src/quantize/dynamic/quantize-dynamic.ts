import { type Model, ModelwrightError } from '@modelwright/core';
import { withGraph } from '../../with-graph.js';
import { frozen } from '../frozen.js';
import { inferenceForm } from '../prepare.js';
import { defaultScheme, type QuantizationScheme } from '../scheme.js';
import type { LayerSelection } from '../selection.js';
import type { Quantized } from '../static/quantize-static.js';
import { planDynamic } from './plan.js';
import { writeDynamicForm } from './write-dynamic-form.js';

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
  return dynamicallyQuantized(model, options).model;
}

/** As {@link quantizeDynamic}, with notes. */
export function dynamicallyQuantized(model: Model, options: DynamicQuantizationOptions = {}): Quantized {
  const prepared = inferenceForm(model);
  const plan = planDynamic(prepared.graph, options);
  if (plan.uses.size === 0) refuse(model, plan.left);
  const graph = writeDynamicForm(prepared.graph, plan, {
    scheme: { ...defaultScheme, ...options.scheme },
    weightRange: options.weightRange ?? 'max',
    recurrent: options.recurrent ?? 'runtime',
  });
  const names = [...plan.values].map(({ name }) => name);
  const notes = [
    `int8 dynamic: ${names.length} of ${names.length + plan.left.length} weights (${names.join(', ')})`,
    ...plan.left.map(({ name, reason }) => `${name} stays float: ${reason}`),
  ];
  return { model: frozen(withGraph(prepared, graph)), notes };
}

function refuse(model: Model, left: readonly { readonly name: string; readonly reason: string }[]): never {
  const reasons = left.map(({ name, reason }) => `${name}: ${reason}`).join('; ');
  throw new ModelwrightError(
    'invalid-argument',
    `no weight of model '${model.name}' can be quantized dynamically${reasons === '' ? '' : ` (${reasons})`}`,
    { given: model.name, hint: "quantize({ mode: 'static' }) serves convolutions" },
  );
}
