import { type Backend, createPredictor, type Model, toNumbers } from '@modelwright/core';
import type { CalibrationData, Observation } from './calibrate/observe.js';
import type { StaticQuantizationOptions } from './static/quantize-static.js';
import { StaticQuantizer } from './static/static-quantizer.js';

/** How much quantizing one layer alone changes what a model gives. */
export interface LayerSensitivity {
  /** Name of the layer's weight. */
  readonly name: string;
  /** `Σ(y − ŷ)² / Σy²` over all outputs and samples: noise by signal. */
  readonly error: number;
}

/**
 * Quantizes each layer alone and compares the model's outputs on the samples with those of the float model.
 *
 * @returns the layers, the most sensitive first.
 */
export async function quantizationSensitivity(
  model: Model,
  options: StaticQuantizationOptions,
): Promise<readonly LayerSensitivity[]> {
  const quantizer = await StaticQuantizer.create(model, options);
  return sensitivityOf(model, quantizer, options);
}

/** What gives a model with some of its layers quantized. */
export interface LayerQuantizer {
  readonly layers: readonly string[];
  quantize(exclude: readonly string[]): Promise<{ readonly model: Model }>;
}

/** As {@link quantizationSensitivity}, of layers that are quantized in any way. */
export async function sensitivityOf(
  model: Model,
  quantizer: LayerQuantizer,
  { backend, calibration, signal }: Observation,
): Promise<readonly LayerSensitivity[]> {
  const exact = await outputsOn(model, backend, calibration);
  const { layers } = quantizer;
  const found: LayerSensitivity[] = [];
  for (const name of layers) {
    signal?.throwIfAborted();
    const { model: alone } = await quantizer.quantize(layers.filter((each) => each !== name));
    found.push({ name, error: noiseBySignal(exact, await outputsOn(alone, backend, calibration)) });
  }
  return found.sort((a, b) => b.error - a.error);
}

/** Outputs of a model on samples, flat. */
async function outputsOn(
  model: Model,
  backend: Backend,
  calibration: CalibrationData,
): Promise<readonly Float64Array[]> {
  const predictor = await createPredictor(model, backend);
  const outputs: Float64Array[] = [];
  try {
    for await (const inputs of typeof calibration === 'function' ? calibration() : calibration) {
      const results = await predictor.predict(inputs);
      for (const { name, value } of model.graph.outputs) {
        const result = results[name];
        if (result !== undefined && value.dtype !== 'string') outputs.push(Float64Array.from(toNumbers(result)));
      }
    }
  } finally {
    await predictor.dispose();
  }
  return outputs;
}

function noiseBySignal(exact: readonly Float64Array[], given: readonly Float64Array[]): number {
  let [noise, signal] = [0, 0];
  for (const [index, y] of exact.entries()) {
    const other = given[index] as Float64Array;
    for (let at = 0; at < y.length; at++) {
      noise += ((y[at] as number) - (other[at] as number)) ** 2;
      signal += (y[at] as number) ** 2;
    }
  }
  return signal === 0 ? noise : noise / signal;
}
