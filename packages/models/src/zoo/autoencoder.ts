import { type Model, ModelwrightError } from '@modelwright/core';
import type { ActivationLike } from '../activations.js';
import { conv2d } from '../layers/convolution.js';
import { dense } from '../layers/dense.js';
import { modelLayer } from '../layers/model-layer.js';
import { flatten, reshape } from '../layers/reshaping.js';
import { conv2dTranspose } from '../layers/transposed-convolution.js';
import { input, model, partsOf } from '../model/functional.js';
import { LayeredModel, type LayeredModelParts } from '../model/layered-model.js';
import type { SymbolicTensor } from '../symbolic-tensor.js';
import type { ZooOptions } from './zoo-options.js';

export interface AutoencoderOptions extends ZooOptions {
  /** Shape of an example: `[height, width, channels]` with `filters`, else any. Default `[28, 28, 1]`. */
  readonly inputShape?: readonly number[];
  /** Length of the code. Default 32. */
  readonly latentSize?: number;
  /**
   * Widths of the encoder's dense layers; without `filters`, the decoder has them in reverse. Default `[256, 128]`, with
   * `filters` none.
   */
  readonly hiddenUnits?: readonly number[];
  /** Filters of 3 × 3 convolutions that halve the image, each; the decoder has them in reverse. Default none. */
  readonly filters?: readonly number[];
  /** Of the hidden layers. Default relu. */
  readonly activation?: ActivationLike;
  /** Of what comes out. Default sigmoid, for pixels in [0, 1]. */
  readonly outputActivation?: ActivationLike;
}

/** A model of two halves, which can be had on their own. */
export class Autoencoder extends LayeredModel {
  readonly #halves: Halves;

  constructor(parts: LayeredModelParts, halves: Halves) {
    super(parts);
    this.#halves = halves;
  }

  /** From examples to codes: a model of its own, with the weights as they are now. */
  encoder(): LayeredModel {
    return withWeights(this.#halves.encoder(), this);
  }

  /** From codes to examples: a model of its own, with the weights as they are now. */
  decoder(): LayeredModel {
    return withWeights(this.#halves.decoder(), this);
  }
}

/** Makes the halves of an autoencoder, with fresh weights. */
export interface Halves {
  encoder(): LayeredModel;
  decoder(): LayeredModel;
}

function withWeights(half: LayeredModel, whole: Model): LayeredModel {
  const weights = whole.getWeights();
  half.setWeights(
    Object.fromEntries(half.parameters.map(({ name }) => [name, weights[`${half.name}.${name}`] as never])),
  );
  return half;
}

/**
 * An autoencoder: an encoder that shortens examples to codes, and a decoder that restores them. Train it on examples that are
 * their own targets; `encoder()` and `decoder()` then give its halves.
 *
 * Input `[batch, …inputShape]`, output the same (named `reconstruction`). With `filters` it is convolutional.
 *
 * @throws {@link ModelwrightError} `invalid-argument` when the image cannot be halved as often as there are `filters`.
 * @see Hinton and Salakhutdinov, Science 313 (2006).
 * @example
 * const network = autoencoder({ filters: [16, 32], latentSize: 16 });
 * // …train it, then:
 * const codes = await createPredictor(network.encoder(), backend);
 */
export function autoencoder(options: AutoencoderOptions = {}): Autoencoder {
  const { name = 'autoencoder', seed = 0 } = options;
  const plan = planOf('autoencoder', options);
  const halves: Halves = {
    encoder: () =>
      encoderModel(plan, (features) => ({ code: dense({ units: plan.latentSize, name: 'code' })(features) })),
    decoder: () => decoderModel(plan),
  };
  const example = input({ shape: plan.inputShape, name: 'input' });
  const code = modelLayer(halves.encoder())(example);
  const reconstruction = modelLayer(halves.decoder())(code);
  return new Autoencoder(partsOf({ name, seed, inputs: example, outputs: { reconstruction } }), halves);
}

/** What both halves are built from. */
export interface AutoencoderPlan {
  readonly seed: number;
  readonly inputShape: readonly number[];
  readonly latentSize: number;
  readonly hiddenUnits: readonly number[];
  readonly filters: readonly number[];
  readonly activation: ActivationLike;
  readonly outputActivation: ActivationLike;
}

/** The options with their defaults. */
export function planOf(what: string, options: AutoencoderOptions): AutoencoderPlan {
  const { inputShape = [28, 28, 1], filters = [], seed = 0, latentSize = 32 } = options;
  const factor = 2 ** filters.length;
  const halved = inputShape.length === 3 && inputShape.slice(0, 2).every((extent) => extent % factor === 0);
  if (filters.length > 0 && !halved) {
    throw new ModelwrightError(
      'invalid-argument',
      `${what}: ${filters.length} filters halve images as often; inputShape is [${inputShape}], ` +
        `[height, width, channels] with multiples of ${factor} is expected`,
      { given: inputShape, allowed: factor },
    );
  }
  return {
    seed,
    inputShape,
    latentSize,
    filters,
    hiddenUnits: options.hiddenUnits ?? (filters.length > 0 ? [] : [256, 128]),
    activation: options.activation ?? 'relu',
    outputActivation: options.outputActivation ?? 'sigmoid',
  };
}

/** From an example to what `head` makes of its features. */
export function encoderModel(
  plan: AutoencoderPlan,
  head: (features: SymbolicTensor) => { readonly [output: string]: SymbolicTensor },
): LayeredModel {
  const { inputShape, filters, hiddenUnits, activation, seed } = plan;
  const example = input({ shape: inputShape, name: 'input' });
  const small = filters.reduce(
    (x, count) => conv2d({ filters: count, kernelSize: 3, strides: 2, padding: 'same', activation })(x),
    example,
  );
  const flat = small.shape.length === 2 ? small : flatten()(small);
  const features = hiddenUnits.reduce((x, units) => dense({ units, activation })(x), flat);
  return model({ name: 'encoder', seed, inputs: example, outputs: head(features) });
}

/** From a code to an example. */
export function decoderModel(plan: AutoencoderPlan): LayeredModel {
  const { filters, latentSize, seed } = plan;
  const code = input({ shape: [latentSize], name: 'code' });
  const output = filters.length > 0 ? enlarged(code, plan) : widened(code, plan);
  return model({ name: 'decoder', seed, inputs: code, outputs: { reconstruction: output } });
}

function widened(code: SymbolicTensor, plan: AutoencoderPlan): SymbolicTensor {
  const { hiddenUnits, inputShape, activation, outputActivation } = plan;
  const features = [...hiddenUnits].reverse().reduce((x, units) => dense({ units, activation })(x), code);
  const units = inputShape.reduce((product, extent) => product * extent, 1);
  const flat = dense({ units, activation: outputActivation })(features);
  return inputShape.length === 1 ? flat : reshape({ targetShape: inputShape })(flat);
}

function enlarged(code: SymbolicTensor, plan: AutoencoderPlan): SymbolicTensor {
  const { filters, inputShape, activation, outputActivation } = plan;
  const [height, width, channels] = inputShape as readonly [number, number, number];
  const factor = 2 ** filters.length;
  const targetShape = [height / factor, width / factor, filters.at(-1) as number];
  const start = dense({ units: targetShape.reduce((product, extent) => product * extent, 1), activation })(code);
  const large = [...filters]
    .reverse()
    .reduce(
      (x, count) => conv2dTranspose({ filters: count, kernelSize: 3, strides: 2, padding: 'same', activation })(x),
      reshape({ targetShape })(start),
    );
  return conv2dTranspose({ filters: channels, kernelSize: 3, padding: 'same', activation: outputActivation })(large);
}
