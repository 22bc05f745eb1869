import type { Model } from '@modelwright/core';
import { withGraph } from '../../with-graph.js';
import { type Calibrator, calibrate } from '../calibrate/calibrate.js';
import type { Observation } from '../calibrate/observe.js';
import { frozen } from '../frozen.js';
import { integerReadyForm } from '../prepare.js';
import { defaultScheme, type QuantizationScheme, schemeName } from '../scheme.js';
import type { LayerSelection } from '../selection.js';
import { planQuantization, type QuantizationPlan, valuesToObserve } from './plan.js';
import { writeIntegerForm } from './write-integer-form.js';

export interface StaticQuantizationOptions extends Observation, LayerSelection {
  /** Default: uint8 activations, int8 weights of full range, a scale a channel. */
  readonly scheme?: Partial<QuantizationScheme>;
  /** How activation ranges are chosen. Default `minMax`. */
  readonly calibrator?: Calibrator;
  /** How weight ranges are chosen. Default `max`. */
  readonly weightRange?: 'max' | 'mse';
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
 */
export async function quantizeStatic(model: Model, options: StaticQuantizationOptions): Promise<Model> {
  return (await staticallyQuantized(model, options)).model;
}

/** As {@link quantizeStatic}, with notes. */
export async function staticallyQuantized(model: Model, options: StaticQuantizationOptions): Promise<Quantized> {
  const scheme: QuantizationScheme = { ...defaultScheme, ...options.scheme };
  const prepared = integerReadyForm(model);
  const plan = planQuantization(prepared.graph, { ...options, absorbsRelu: absorbsRelu(scheme) });
  const ranges = await calibrate(prepared, valuesToObserve(plan), options.calibrator ?? 'minMax', options);
  const { weightRange = 'max' } = options;
  const graph = writeIntegerForm(prepared.graph, plan, { scheme, ranges, weightRange });
  return { model: frozen(withGraph(prepared, graph)), notes: notesOf(plan, scheme) };
}

/** Whether the lowest integer means zero for what is never negative. */
export function absorbsRelu({ symmetricActivations, activation }: QuantizationScheme): boolean {
  return !symmetricActivations || activation === 'uint8';
}

function notesOf({ weights, left }: QuantizationPlan, scheme: QuantizationScheme): readonly string[] {
  const names = [...weights.values()].map(({ value }) => value.name);
  return [
    `int8 ${schemeName(scheme)}: ${names.length} of ${names.length + left.length} layers with weights (${names.join(', ')})`,
    ...left.map(({ name, reason }) => `${name} stays float: ${reason}`),
  ];
}
