import { type DType, Model, ModelwrightError } from '@modelwright/core';
import type { InputShape, Layer } from '../layer.js';
import { modelLayer } from '../layers/model-layer.js';
import { input, model } from './functional.js';
import type { LayeredModel } from './layered-model.js';

export interface SequentialOptions {
  /** In order; a whole model may stand as a layer. */
  readonly layers: readonly (Layer | Model)[];
  /** Without the batch axis; default: what the first layer says (`dense({ units, inputShape })`, or a model's own input). */
  readonly inputShape?: InputShape;
  readonly name?: string;
  /** Name of the input. Default `input`. */
  readonly inputName?: string;
  /** Name of the output. Default `output`. */
  readonly outputName?: string;
  /** Default float32, or int32 before an `embedding`. */
  readonly inputDType?: DType;
  /** A fixed batch size, which `stateful` layers need. Default open. */
  readonly batchSize?: number;
  /** Seed of the weights' initial values. Default 0. */
  readonly seed?: number;
}

/**
 * A model that is a plain chain of layers.
 *
 * @throws {@link ModelwrightError} `invalid-argument` without layers or without an input shape; what the layers throw.
 * @example
 * const model = sequential({
 *   inputShape: [28, 28, 1],
 *   layers: [conv2d({ filters: 32, kernelSize: 3, activation: 'relu' }), flatten(), dense({ units: 10, activation: 'softmax' })],
 * });
 */
export function sequential(options: SequentialOptions): LayeredModel {
  const { name = 'sequential', inputName = 'input', outputName = 'output', seed = 0 } = options;
  const layers = options.layers.map((layer) => (layer instanceof Model ? modelLayer(layer) : layer));
  const first = layers[0];
  if (first === undefined) throw new ModelwrightError('invalid-argument', `sequential '${name}' has no layers`);
  const shape = options.inputShape ?? first.definition.options.inputShape;
  if (shape === undefined) {
    throw new ModelwrightError(
      'invalid-argument',
      `sequential '${name}' needs an inputShape: the shape of one example, without the batch axis`,
    );
  }
  const dtype = options.inputDType ?? first.definition.inputDType ?? 'float32';
  const { batchSize } = options;
  const start = input({ shape, name: inputName, dtype, ...(batchSize === undefined ? {} : { batchSize }) });
  const end = layers.reduce((value, layer) => layer(value), start);
  return model({ inputs: { [inputName]: start }, outputs: { [outputName]: end }, name, seed });
}
