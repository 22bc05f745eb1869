import { activation } from '../layers/activation-layers.js';
import { add } from '../layers/merging.js';
import type { SymbolicTensor } from '../symbolic-tensor.js';
import type { ImageLayers } from './image-network.js';

/** The network as `keras.applications.ResNet50` and its siblings have it, with the names of their layers. */
export function kerasResnetBody(
  image: SymbolicTensor,
  layers: ImageLayers,
  { counts, filters: least }: { readonly counts: readonly number[]; readonly filters: number },
): SymbolicTensor {
  const stem = layers.conv({ filters: least, kernelSize: 7, strides: 2, padding: 3, name: 'conv1_conv', ...kernel })(
    image,
  );
  const started = activation('relu', { name: 'conv1_relu' })(layers.normalize({ name: 'conv1_bn', epsilon })(stem));
  let x = layers.maxPool({ poolSize: 3, strides: 2, padding: 1, name: 'pool1_pool' })(started);
  counts.forEach((count, stage) => {
    for (let block = 0; block < count; block++) {
      const name = `conv${stage + 2}_block${block + 1}`;
      x = bottleneck(x, layers, {
        name,
        filters: least * 2 ** stage,
        strides: block === 0 && stage > 0 ? 2 : 1,
        first: block === 0,
      });
    }
  });
  return x;
}

const epsilon = 1.001e-5;
const kernel = { kernelInitializer: 'heNormal' } as const;

interface BlockOptions {
  readonly name: string;
  readonly filters: number;
  readonly strides: number;
  /** Of its stage: its shortcut is a projection. */
  readonly first: boolean;
}

function bottleneck(
  x: SymbolicTensor,
  layers: ImageLayers,
  { name, filters, strides, first }: BlockOptions,
): SymbolicTensor {
  const step = (
    from: SymbolicTensor,
    number: number,
    options: { filters: number; kernelSize: number; strides?: number },
  ) => {
    const part = `${name}_${number}`;
    const padding = (options.kernelSize - 1) / 2;
    const features = layers.conv({ ...options, padding, name: `${part}_conv`, ...kernel })(from);
    return layers.normalize({ name: `${part}_bn`, epsilon })(features);
  };
  const rectified = (from: SymbolicTensor, number: number): SymbolicTensor =>
    activation('relu', { name: `${name}_${number}_relu` })(from);
  const shortcut = first ? step(x, 0, { filters: 4 * filters, kernelSize: 1, strides }) : x;
  const narrow = rectified(step(x, 1, { filters, kernelSize: 1, strides }), 1);
  const middle = rectified(step(narrow, 2, { filters, kernelSize: 3 }), 2);
  const wide = step(middle, 3, { filters: 4 * filters, kernelSize: 1 });
  return activation('relu', { name: `${name}_out` })(add({ name: `${name}_add` })([shortcut, wide]));
}
