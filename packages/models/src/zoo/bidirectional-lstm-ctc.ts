import type { InitializerLike } from '../initializers/initializer.js';
import { randomUniform } from '../initializers/standard.js';
import type { Layer } from '../layer.js';
import { dense } from '../layers/dense.js';
import { masking } from '../layers/masking.js';
import { dropout, gaussianNoise } from '../layers/noise.js';
import { bidirectional } from '../layers/recurrent/bidirectional.js';
import { lstm } from '../layers/recurrent/lstm.js';
import { input, model } from '../model/functional.js';
import type { LayeredModel } from '../model/layered-model.js';
import type { SymbolicTensor } from '../symbolic-tensor.js';
import { bidirectionalPeepholeLstm } from './peephole-lstm.js';
import type { ZooOptions } from './zoo-options.js';

export interface BidirectionalLstmCtcOptions extends ZooOptions {
  /** Numbers that describe each step. Default 26: the paper's 12 cepstral coefficients and the energy, with their derivatives. */
  readonly features?: number;
  /** Steps of a sequence. Default: whatever is fed. */
  readonly steps?: number | null;
  /** Number of labels and one for the blank, which is class 0. Default 62: TIMIT's 61 phonemes. */
  readonly classes?: number;
  /** Units of each direction. Default 100. */
  readonly units?: number;
  /** Number of bidirectional layers, one on the other. Default 1. */
  readonly layers?: number;
  /** Let the gates see the cell's state, as in the paper. Default true; without it, the layer is the usual `lstm`. */
  readonly peepholes?: boolean;
  /** Standard deviation of noise on the input while training; the paper takes 0.6. Default 0. */
  readonly noise?: number;
  /** Share of what training drops before each layer. Default 0. */
  readonly dropout?: number;
  /** Steps whose features all have this value are padding at the end of a sequence; `null` for none. Default 0. */
  readonly maskValue?: number | null;
  /** Of all weights. Default uniform in ±0.1. */
  readonly initializer?: InitializerLike;
}

/**
 * A bidirectional LSTM that labels sequences without knowing where the labels stand: train it with the loss `ctc`. Without
 * options it is the network of the paper, with 114,662 weights.
 *
 * Input `[batch, steps, features]` (named `sequence`), output probabilities of the classes `[batch, steps, classes]`.
 *
 * @see Graves, Fernández, Gomez and Schmidhuber, "Connectionist Temporal Classification", ICML 2006.
 * @example
 * const listener = bidirectionalLstmCtc({ features: 40, classes: 29, units: 128, layers: 2, dropout: 0.3 });
 * const trainer = await createTrainer(listener, { backend, loss: 'ctc' });
 */
export function bidirectionalLstmCtc(options: BidirectionalLstmCtcOptions = {}): LayeredModel {
  const { features = 26, steps = null, classes = 62, name = 'bidirectionalLstmCtc', seed = 0, noise = 0 } = options;
  const {
    layers = 1,
    maskValue = 0,
    dropout: rate = 0,
    initializer = randomUniform({ minValue: -0.1, maxValue: 0.1 }),
  } = options;
  const sequence = input({ shape: [steps, features], name: 'sequence' });
  const masked = maskValue === null ? sequence : masking({ maskValue })(sequence);
  let x = noise === 0 ? masked : gaussianNoise({ stddev: noise })(masked);
  for (let index = 0; index < layers; index++) {
    const kept: SymbolicTensor = rate === 0 ? x : dropout({ rate })(x);
    x = recurrent(options, initializer)(kept);
  }
  const output = dense({ units: classes, activation: 'softmax', kernelInitializer: initializer, name: 'labels' })(x);
  return model({ name, seed, inputs: sequence, outputs: { probabilities: output } });
}

function recurrent(
  { units = 100, peepholes = true }: BidirectionalLstmCtcOptions,
  initializer: InitializerLike,
): Layer {
  if (peepholes) return bidirectionalPeepholeLstm({ units, initializer });
  const weights = { kernelInitializer: initializer, recurrentInitializer: initializer };
  return bidirectional({ layer: lstm({ units, returnSequences: true, ...weights }) });
}
