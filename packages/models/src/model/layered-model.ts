import {
  castTensor,
  Model,
  type ModelParts,
  ModelwrightError,
  type Parameter,
  sameShape,
  type Tensor,
} from '@modelwright/core';
import type { LayerInputs } from '../layer.js';
import { modelLayer } from '../layers/model-layer.js';
import type { SymbolicTensor } from '../symbolic-tensor.js';
import { type KerasLayout, sameLayout, toKeras, toStored } from '../weights/keras-layout.js';
import { summarize } from './summary.js';

/**
 * In which order lists of weights are: layer by layer (`keras`), or all trainable ones before all others (`tfjs`, whose
 * `getWeights` does so; it matters only with batch normalization or frozen layers).
 */
export type WeightOrder = 'keras' | 'tfjs';

export interface LayeredModelParts extends ModelParts {
  /** How weights lie in Keras, by name. */
  readonly layouts: ReadonlyMap<string, KerasLayout>;
}

/** A model made of layers: core's `Model` with a summary and with weights in Keras's layout. */
export class LayeredModel extends Model {
  readonly #layouts: ReadonlyMap<string, KerasLayout>;

  constructor(parts: LayeredModelParts) {
    super(parts);
    this.#layouts = parts.layouts;
  }

  /**
   * A table of the layers with their output shapes and numbers of parameters.
   *
   * @param print - Takes the text; default `console.log`.
   * @returns the text.
   */
  summary(print: (text: string) => void = console.log): string {
    const text = summarize(this);
    print(text);
    return text;
  }

  /** How the weight `name` lies in Keras and in the graph. */
  layoutOf(name: string): KerasLayout {
    const parameter = this.parameters.find((candidate) => candidate.name === name);
    return this.#layouts.get(name) ?? sameLayout((parameter?.value.shape ?? []) as readonly number[]);
  }

  /** All weights in Keras's layout and order, as `model.getWeights()` gives them there. */
  getKerasWeights(order: WeightOrder = 'keras'): readonly Tensor[] {
    return this.#ordered(order).map((parameter) => toKeras(this.weightOf(parameter), this.layoutOf(parameter.name)));
  }

  /**
   * Takes over weights from Keras or TensorFlow.js, in their layout and order.
   *
   * @throws {@link ModelwrightError} `invalid-argument` for a wrong number of weights, `shape-mismatch` naming the weight; then
   *   nothing is changed.
   */
  importKerasWeights(weights: readonly Tensor[], order: WeightOrder = 'keras'): void {
    const parameters = this.#ordered(order);
    if (weights.length !== parameters.length) {
      const names = parameters.map(({ name }) => name).join(', ');
      throw new ModelwrightError(
        'invalid-argument',
        `model '${this.name}' has ${parameters.length} weights, ${weights.length} were given; in order: ${names}`,
        { given: weights.length, allowed: parameters.length },
      );
    }
    const stored = parameters.map(({ name, value }, index): [string, Tensor] => {
      const weight = weights[index] as Tensor;
      const layout = this.layoutOf(name);
      if (!sameShape(weight.shape, layout.keras)) {
        throw new ModelwrightError(
          'shape-mismatch',
          `weight ${index}, '${name}', has shape [${layout.keras}] in Keras, [${weight.shape}] was given`,
          { given: weight.shape, allowed: layout.keras },
        );
      }
      return [name, toStored(castTensor(weight, value.dtype), layout)];
    });
    this.setWeights(Object.fromEntries(stored));
  }

  /** Uses the whole model as a layer: its weights as they are now are copied into the new model. */
  apply(...inputs: LayerInputs): SymbolicTensor {
    return modelLayer(this)(...inputs);
  }

  #ordered(order: WeightOrder): readonly Parameter[] {
    if (order === 'keras') return this.parameters;
    return [
      ...this.parameters.filter(({ trainable }) => trainable),
      ...this.parameters.filter(({ trainable }) => !trainable),
    ];
  }
}
