import type { Value } from '@modelwright/core';
import type { Layer, LayerContext } from '../layer.js';
import { customLayer } from '../layers/custom.js';
import { dense } from '../layers/dense.js';
import { modelLayer } from '../layers/model-layer.js';
import { input, partsOf } from '../model/functional.js';
import {
  Autoencoder,
  type AutoencoderOptions,
  decoderModel,
  encoderModel,
  type Halves,
  planOf,
} from './autoencoder.js';

export interface VariationalAutoencoderOptions extends AutoencoderOptions {
  /**
   * Factor of the divergence from the prior. Default 1 / number of elements of an example: losses are means over the elements, so
   * that is the evidence lower bound, divided by them. Larger ones give the β-VAE.
   */
  readonly klWeight?: number;
}

/**
 * A variational autoencoder: codes are drawn from normal distributions, which a term of the loss keeps near the standard one, so
 * that any code drawn from that one decodes to something likely.
 *
 * `loss = reconstruction + klWeight · −½ Σ (1 + log σ² − μ² − σ²)`; the second term is the model's own and comes with it, the
 * first is the loss that it is trained with (`binaryCrossentropy`, say), on examples that are their own targets. While training
 * codes are `μ + σ · ε`, otherwise `μ`.
 *
 * Input `[batch, …inputShape]`, output the same (`reconstruction`). `encoder()` gives `mean` and `logVariance`
 * `[batch, latentSize]`, `decoder()` makes examples of codes.
 *
 * @throws {@link ModelwrightError} as `autoencoder`.
 * @see Kingma and Welling, arXiv:1312.6114.
 * @example
 * const network = variationalAutoencoder({ filters: [32, 64], hiddenUnits: [16], latentSize: 2 });
 * const trainer = await createTrainer(network, { backend, loss: 'binaryCrossentropy' });
 * await trainer.fit({ x: digits, y: digits }, { epochs: 20 });
 * const painter = await createPredictor(network.decoder(), backend);
 */
export function variationalAutoencoder(options: VariationalAutoencoderOptions = {}): Autoencoder {
  const { name = 'variationalAutoencoder', seed = 0 } = options;
  const plan = planOf('variationalAutoencoder', options);
  const elements = plan.inputShape.reduce((product, extent) => product * extent, 1);
  const halves: Halves = {
    encoder: () =>
      encoderModel(plan, (features) => ({
        mean: dense({ units: plan.latentSize, name: 'mean' })(features),
        logVariance: dense({ units: plan.latentSize, name: 'logVariance' })(features),
      })),
    decoder: () => decoderModel(plan),
  };
  const example = input({ shape: plan.inputShape, name: 'input' });
  const distribution = modelLayer(halves.encoder()).applyAll(example);
  const code = latent(options.klWeight ?? 1 / elements)(distribution);
  const reconstruction = modelLayer(halves.decoder())(code);
  return new Autoencoder(partsOf({ name, seed, inputs: example, outputs: { reconstruction } }), halves);
}

/** Draws codes, and adds their divergence from the standard normal distribution to the loss. */
function latent(klWeight: number): Layer {
  return customLayer(
    (context, mean, logVariance) => {
      context.addLoss('klDivergence', divergence(context, { mean, logVariance, klWeight }));
      return drawn(context, mean as Value, logVariance as Value);
    },
    { kind: 'latent' },
  );
}

interface Distribution {
  readonly mean: Value | undefined;
  readonly logVariance: Value | undefined;
  readonly klWeight: number;
}

// −½ Σ (1 + log σ² − μ² − σ²) of each example.
function divergence({ builder }: LayerContext, { mean, logVariance, klWeight }: Distribution): Value {
  const { dtype } = logVariance as Value;
  const one = builder.scalar(1, dtype);
  const spread = builder.op('Sub', [builder.op('Add', [one, logVariance]), builder.op('Exp', [logVariance])]);
  const terms = builder.op('Sub', [spread, builder.op('Mul', [mean, mean])]);
  const sum = builder.op('ReduceSum', [terms, builder.integers([1])], { keepdims: 0 });
  return builder.op('Mul', [sum, builder.scalar(-0.5 * klWeight, dtype)]);
}

function drawn({ builder }: LayerContext, mean: Value, logVariance: Value): Value {
  const half = builder.op('Mul', [logVariance, builder.scalar(0.5, logVariance.dtype)]);
  const noise = builder.op('RandomNormalLike', [mean], { mean: 0, scale: 1 });
  const random = builder.op('Add', [mean, builder.op('Mul', [builder.op('Exp', [half]), noise])]);
  return builder.op('TrainingSwitch', [mean, random]);
}
