import type { Layer } from '../layer.js';
import { activation } from '../layers/activation-layers.js';
import { customLayer } from '../layers/custom.js';
import { add } from '../layers/merging.js';
import type { SymbolicTensor } from '../symbolic-tensor.js';
import type { ImageLayers } from './image-network.js';

/**
 * The networks of section 4.2: three stages of `blocks` blocks with 16, 32 and 64 filters (once, twice, four times `filters`). Their shortcuts have no weights: they
 * skip every second pixel and fill new channels with 0 (option A).
 */
export function cifarResnetBody(
  image: SymbolicTensor,
  layers: ImageLayers,
  { blocks, filters: least }: { readonly blocks: number; readonly filters: number },
): SymbolicTensor {
  let x = activation('relu')(convolved(image, layers, { name: 'stem', filters: least }));
  [least, 2 * least, 4 * least].forEach((filters, stage) => {
    for (let block = 0; block < blocks; block++) {
      const strides = stage > 0 && block === 0 ? 2 : 1;
      x = residual(x, layers, { name: `stage${stage + 1}.block${block + 1}`, filters, strides });
    }
  });
  return x;
}

interface BlockOptions {
  readonly name: string;
  readonly filters: number;
  readonly strides?: number;
}

function residual(x: SymbolicTensor, layers: ImageLayers, options: BlockOptions): SymbolicTensor {
  const { name, filters, strides = 1 } = options;
  const first = activation('relu')(convolved(x, layers, { name: `${name}.first`, filters, strides }));
  const second = convolved(first, layers, { name: `${name}.second`, filters });
  const more = filters - layers.channelsOf(x);
  const shortcut = strides === 1 && more === 0 ? x : skipPixels(layers, { strides, more })(x);
  return activation('relu')(add()([second, shortcut]));
}

function skipPixels(
  layers: ImageLayers,
  { strides, more }: { readonly strides: number; readonly more: number },
): Layer {
  return customLayer(
    ({ builder }, x) => {
      const channelsAxis = layers.channelsAxis(x.shape.length);
      const space = x.shape.map((_, axis) => axis).filter((axis) => axis !== 0 && axis !== channelsAxis);
      const ends = space.map(() => 2 ** 31 - 1);
      const skipped = builder.op('Slice', [
        x,
        builder.integers(space.map(() => 0)),
        builder.integers(ends),
        builder.integers(space),
        builder.integers(space.map(() => strides)),
      ]);
      const pads = x.shape.map((_, axis) => (axis === channelsAxis ? more : 0));
      return builder.op('Pad', [skipped, builder.integers([...x.shape.map(() => 0), ...pads])]);
    },
    { kind: 'skipPixels' },
  );
}

function convolved(
  x: SymbolicTensor,
  layers: ImageLayers,
  { name, filters, strides = 1 }: BlockOptions,
): SymbolicTensor {
  const kernel = { useBias: false, kernelInitializer: 'heNormal' } as const;
  const features = layers.conv({ filters, kernelSize: 3, strides, padding: 1, name: `${name}.conv`, ...kernel })(x);
  return layers.normalize({ epsilon: 1e-5, momentum: 0.9, name: `${name}.norm` })(features);
}
