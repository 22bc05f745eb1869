import type { ActivationLike } from '../activations.js';
import type { InitializerLike } from '../initializers/initializer.js';
import type { InputShape, Layer } from '../layer.js';
import { activation } from '../layers/activation-layers.js';
import { dense } from '../layers/dense.js';
import { dropout } from '../layers/noise.js';
import { batchNormalization } from '../layers/normalization.js';
import { flatten } from '../layers/reshaping.js';
import type { LayeredModel } from '../model/layered-model.js';
import { sequential } from '../model/sequential.js';
import type { ZooOptions } from './zoo-options.js';

export interface MlpOptions extends ZooOptions {
  /** Shape of an example, without the batch axis; several axes are flattened. */
  readonly inputShape: InputShape;
  /** Widths of the hidden layers. Default `[128, 64]`. */
  readonly hiddenUnits?: readonly number[];
  /** Number of outputs. Default 10. */
  readonly classes?: number;
  /** Of the hidden layers. Default relu. */
  readonly activation?: ActivationLike;
  /** Of the output. Default softmax, or sigmoid for a single one; `linear` for regression. */
  readonly outputActivation?: ActivationLike;
  /** Normalize before each hidden activation. Default false. */
  readonly batchNormalization?: boolean;
  /** Share of the hidden units that training drops. Default 0. */
  readonly dropout?: number;
  /** Of hidden kernels. Default heNormal. */
  readonly kernelInitializer?: InitializerLike;
}

/**
 * A multilayer perceptron: fully connected layers, one after the other.
 *
 * Input `[batch, …inputShape]`, output `[batch, classes]`.
 *
 * @throws {@link ModelwrightError} `invalid-argument` for widths that are not positive.
 * @see Rumelhart, Hinton and Williams, Nature 323 (1986).
 * @example
 * const digits = mlp({ inputShape: [28, 28, 1], hiddenUnits: [512, 512], dropout: 0.2 });
 */
export function mlp(options: MlpOptions): LayeredModel {
  const { hiddenUnits = [128, 64], classes = 10, inputShape, name = 'mlp', seed = 0 } = options;
  const last = options.outputActivation ?? (classes === 1 ? 'sigmoid' : 'softmax');
  const layers = [
    ...(inputShape.length > 1 ? [flatten()] : []),
    ...hiddenUnits.flatMap((units) => hidden(units, options)),
    dense({ units: classes, activation: last }),
  ];
  return sequential({ name, seed, inputShape, layers });
}

function hidden(units: number, options: MlpOptions): readonly Layer[] {
  const { kernelInitializer = 'heNormal', activation: curve = 'relu', dropout: rate = 0 } = options;
  const normalized = options.batchNormalization ?? false;
  const layers = normalized
    ? [dense({ units, kernelInitializer, useBias: false }), batchNormalization(), activation(curve)]
    : [dense({ units, kernelInitializer, activation: curve })];
  return rate === 0 ? layers : [...layers, dropout({ rate })];
}
