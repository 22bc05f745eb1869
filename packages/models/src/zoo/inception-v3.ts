import { activation } from '../layers/activation-layers.js';
import type { Padding } from '../layers/spatial.js';
import type { LayeredModel } from '../model/layered-model.js';
import type { SymbolicTensor } from '../symbolic-tensor.js';
import { type ImageLayers, type ImageNetworkOptions, imageNetwork } from './image-network.js';

export interface InceptionV3Options extends ImageNetworkOptions {
  /** Width multiplier: how many times as many channels as in the paper. Default 1. */
  readonly alpha?: number;
}

/**
 * Inception v3: modules of parallel branches whose large convolutions are factorized into small and one-sided ones.
 *
 * Input `[batch, height, width, channels]` (named `image`, 299 × 299; at least 75 × 75), output `[batch, classes]`. Layers are made
 * in the order of `keras.applications`, so that weights match by name; that network takes pixels in [−1, 1].
 *
 * @throws {@link ModelwrightError} `shape-mismatch` when the image is too small.
 * @see Szegedy, Vanhoucke, Ioffe, Shlens and Wojna, arXiv:1512.00567.
 */
export function inceptionV3(options: InceptionV3Options = {}): LayeredModel {
  const { alpha = 1 } = options;
  const defaults = { name: 'inceptionV3', size: 299, classes: 1000, dropout: 0, classifier: 'predictions' };
  return imageNetwork(options, defaults, (image, layers) => body(image, new Inception(layers, alpha)));
}

function body(image: SymbolicTensor, net: Inception): SymbolicTensor {
  const stem = net.chain(image, [step(32, 3, 2), step(32, 3, 1, 'valid'), step(64, 3)]);
  const early = net.chain(net.shrink(stem), [step(80, 1), step(192, 3, 1, 'valid')]);
  let x = net.shrink(early);
  [32, 64, 64].forEach((pooled, index) => {
    x = squareModule(x, net, { pooled, name: `mixed${index}` });
  });
  x = net.join('mixed3', [
    net.chain(x, [step(384, 3, 2)]),
    net.chain(x, [step(64, 1), step(96, 3), step(96, 3, 2)]),
    net.shrink(x),
  ]);
  [128, 160, 160, 192].forEach((narrow, index) => {
    x = oneSidedModule(x, net, { narrow, name: `mixed${index + 4}` });
  });
  x = net.join('mixed8', [
    net.chain(x, [step(192, 1), step(320, 3, 2)]),
    net.chain(x, [step(192, 1), step(192, [1, 7]), step(192, [7, 1]), step(192, 3, 2)]),
    net.shrink(x),
  ]);
  for (const index of [0, 1]) x = forkedModule(x, net, index);
  return x;
}

/** Figure 5: windows of 1, 5 and twice 3. */
function squareModule(
  x: SymbolicTensor,
  net: Inception,
  { pooled, name }: { pooled: number; name: string },
): SymbolicTensor {
  return net.join(name, [
    net.chain(x, [step(64, 1)]),
    net.chain(x, [step(48, 1), step(64, 5)]),
    net.chain(x, [step(64, 1), step(96, 3), step(96, 3)]),
    net.chain(net.blur(x), [step(pooled, 1)]),
  ]);
}

/** Figure 6: windows of 7 as 1 × 7 and 7 × 1. */
function oneSidedModule(
  x: SymbolicTensor,
  net: Inception,
  { narrow, name }: { narrow: number; name: string },
): SymbolicTensor {
  const [wide, high]: readonly Window[] = [
    [1, 7],
    [7, 1],
  ];
  return net.join(name, [
    net.chain(x, [step(192, 1)]),
    net.chain(x, [step(narrow, 1), step(narrow, wide), step(192, high)]),
    net.chain(x, [step(narrow, 1), step(narrow, high), step(narrow, wide), step(narrow, high), step(192, wide)]),
    net.chain(net.blur(x), [step(192, 1)]),
  ]);
}

/** Figure 7: one-sided windows side by side. */
function forkedModule(x: SymbolicTensor, net: Inception, index: number): SymbolicTensor {
  const fork = (from: SymbolicTensor, name?: string): SymbolicTensor =>
    net.join(name, [net.chain(from, [step(384, [1, 3])]), net.chain(from, [step(384, [3, 1])])]);
  const point = net.chain(x, [step(320, 1)]);
  const once = fork(net.chain(x, [step(384, 1)]), `mixed9_${index}`);
  const twice = fork(net.chain(x, [step(448, 1), step(384, 3)]));
  const pooled = net.chain(net.blur(x), [step(192, 1)]);
  return net.join(`mixed${9 + index}`, [point, once, twice, pooled]);
}

type Window = number | readonly [number, number];

interface Step {
  readonly filters: number;
  readonly kernelSize: Window;
  readonly strides: number;
  readonly padding: Padding;
}

/** A convolution; those that scale down do not pad. */
function step(filters: number, kernelSize: Window | undefined = 1, strides = 1, padding?: Padding): Step {
  return { filters, kernelSize, strides, padding: padding ?? (strides === 1 ? 'same' : 'valid') };
}

class Inception {
  readonly #layers: ImageLayers;
  readonly #alpha: number;

  constructor(layers: ImageLayers, alpha: number) {
    this.#layers = layers;
    this.#alpha = alpha;
  }

  /** Convolution, normalization and relu, for each step. */
  chain(start: SymbolicTensor, steps: readonly Step[]): SymbolicTensor {
    return steps.reduce((x, { filters, ...window }) => {
      const scaled = Math.max(1, Math.round(filters * this.#alpha));
      const features = this.#layers.conv({
        filters: scaled,
        ...window,
        useBias: false,
        kernelInitializer: 'heNormal',
      })(x);
      return activation('relu')(this.#layers.normalize({ scale: false })(features));
    }, start);
  }

  shrink(x: SymbolicTensor): SymbolicTensor {
    return this.#layers.maxPool({ poolSize: 3, strides: 2 })(x);
  }

  blur(x: SymbolicTensor): SymbolicTensor {
    return this.#layers.averagePool({ poolSize: 3, strides: 1, padding: 'same' })(x);
  }

  join(name: string | undefined, branches: readonly SymbolicTensor[]): SymbolicTensor {
    return this.#layers.join(branches, name);
  }
}
