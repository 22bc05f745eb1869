import { type Dimension, isConcrete, reshapeTo, type Shape, sliceOf, type Value, zeroPadded } from '@modelwright/core';
import { asTwoAxes, axisWindow, type WindowAttributes } from './image-window.js';
import { type ImageBuilder, type ImageLowering, image, type LoweringFamily, type NodeOf, takes } from './lowering.js';

const mostGroups = 64;

/** The permutation from channels first to channels last. */
export function toLast(rank: number): readonly number[] {
  return [0, ...Array.from({ length: rank - 2 }, (_, axis) => axis + 2), 1];
}

/** The permutation from channels last to channels first. */
export function toFirst(rank: number): readonly number[] {
  return [0, rank - 1, ...Array.from({ length: rank - 2 }, (_, axis) => axis + 1)];
}

// `[…, out, in, …kernel]` → `[…kernel, in, out]`
const filterLast = [2, 3, 1, 0] as const;

const ofShape = (shape: Shape, perm: readonly number[]): Shape => perm.map((axis) => shape[axis] as Dimension);

/** A channels-first value of 3 or 4 axes as a channels-last image of 4. */
function asImage(images: ImageBuilder, value: Value): Value {
  const last = images.transpose(value, toLast(value.shape.length));
  if (last.shape.length === 4) return last;
  return images.builder.op('Unsqueeze', [last, images.builder.integers([1])]);
}

/** The way back. */
function fromImage(images: ImageBuilder, value: Value, rank: number): Value {
  const flat = rank === 4 ? value : images.builder.op('Squeeze', [value, images.builder.integers([1])]);
  return images.transpose(flat, toFirst(rank));
}

/** A filter of 3 or 4 axes as one of 4. */
function asFilter(images: ImageBuilder, value: Value): Value {
  return value.shape.length === 4 ? value : images.builder.op('Unsqueeze', [value, images.builder.integers([2])]);
}

/** The shape of the channels-last image that a channels-first result is made as. */
function imageShape(shape: Shape): Shape {
  const last = ofShape(shape, toLast(shape.length));
  return last.length === 4 ? last : [last[0] as Dimension, 1, ...last.slice(1)];
}

function windowFor<A extends WindowAttributes>(attributes: A, rank: number): A {
  return rank === 4 ? attributes : asTwoAxes(attributes);
}

const isFlat = (rank: number): boolean => rank === 3 || rank === 4;

const convolution: ImageLowering<'Conv'> = image((node, images) => {
  const [x, w, bias] = images.inputs as [Value, Value, Value | undefined];
  const rank = x.shape.length;
  if (!takes(node, 'float32')) return undefined;
  if (rank === 5) return convolution3d(node, images);
  if (!isFlat(rank)) return undefined;
  const { group } = node.attributes;
  const attributes = windowFor(
    withoutUndefined({ ...node.attributes, group: undefined, kernel_shape: undefined }),
    rank,
  );
  const picture = asImage(images, x);
  const filter = asFilter(images, w);
  const shape = imageShape(node.outputs[0]?.shape as Shape);
  const made =
    group === 1
      ? images.kernelNode({
          op: 'Conv2d',
          inputs: [picture, images.transpose(filter, filterLast), bias],
          attributes,
          shape,
        })
      : groupedConvolution(images, { picture, filter, bias, attributes, group, shape });
  return made === undefined ? undefined : fromImage(images, made, rank);
});

interface Grouped {
  readonly picture: Value;
  readonly filter: Value;
  readonly bias: Value | undefined;
  readonly attributes: { readonly [name: string]: never };
  readonly group: number;
  readonly shape: Shape;
}

function groupedConvolution(images: ImageBuilder, grouped: Grouped): Value | undefined {
  const { filter, group, bias } = grouped;
  if (!isConcrete(filter.shape)) return undefined;
  const made =
    filter.shape[1] === 1 ? depthwise(images, grouped) : group <= mostGroups ? split(images, grouped) : undefined;
  if (made === undefined || bias === undefined) return made;
  return images.builder.op('Add', [made, bias]);
}

// `[channels·m, 1, …kernel]` → `[…kernel, channels, m]`
function depthwise(images: ImageBuilder, { picture, filter, attributes, group, shape }: Grouped): Value {
  const [filters, , ...kernel] = filter.shape as readonly [number, number, ...number[]];
  const split = reshapeTo(images.builder, filter, [group, filters / group, ...kernel]);
  return images.kernelNode({
    op: 'DepthwiseConv2d',
    inputs: [picture, images.transpose(split, [2, 3, 0, 1])],
    attributes,
    shape,
  });
}

function split(images: ImageBuilder, { picture, filter, attributes, group, shape }: Grouped): Value {
  const { builder } = images;
  const pictures = builder.node('Split', [picture], { axis: 3, num_outputs: group }, { outputs: group });
  const filters = builder.node('Split', [filter], { axis: 0, num_outputs: group }, { outputs: group });
  const partShape = [...shape.slice(0, 3), Number(filter.shape[0]) / group];
  const parts = pictures.map((each, index) =>
    images.kernelNode({
      op: 'Conv2d',
      inputs: [each, images.transpose(filters[index] as Value, filterLast)],
      attributes,
      shape: partShape,
    }),
  );
  return builder.op('Concat', parts, { axis: 3 });
}

function convolution3d(node: NodeOf<'Conv'>, images: ImageBuilder): Value | undefined {
  const [x, w, bias] = images.inputs as [Value, Value, Value | undefined];
  const shape = node.outputs[0]?.shape as Shape;
  if (node.attributes.group !== 1 || !isConcrete(x.shape.slice(2)) || !isConcrete(w.shape)) return undefined;
  const axes = [0, 1, 2].map((index) =>
    axisWindow(node.attributes, {
      index,
      rank: 3,
      extent: Number(x.shape[index + 2]),
      kernel: Number(w.shape[index + 2]),
    }),
  );
  // The kernels take strides or dilations, not both.
  if (axes.some(({ stride }) => stride > 1) && axes.some(({ dilation }) => dilation > 1)) return undefined;
  const made = images.kernelNode({
    op: 'Conv3d',
    inputs: [images.transpose(x, toLast(5)), images.transpose(w, [2, 3, 4, 1, 0])],
    attributes: {
      strides: axes.map(({ stride }) => stride),
      dilations: axes.map(({ dilation }) => dilation),
      pads: [...axes.map(({ before }) => before), ...axes.map(({ after }) => after)],
    },
    shape: ofShape(shape, toLast(5)),
  });
  return images.transpose(bias === undefined ? made : images.builder.op('Add', [made, bias]), toFirst(5));
}

const convTranspose: ImageLowering<'ConvTranspose'> = image((node, images) => {
  const [x, w, bias] = images.inputs as [Value, Value, Value | undefined];
  const rank = x.shape.length;
  const result = node.outputs[0]?.shape as Shape;
  const { group, auto_pad: mode, output_shape: asked, dilations } = node.attributes;
  const isPlain =
    group === 1 && mode === 'NOTSET' && asked === undefined && (dilations ?? []).every((each) => each === 1);
  if (!isPlain || !takes(node, 'float32') || !isFlat(rank) || !isConcrete(result.slice(1))) return undefined;
  const shape = imageShape(result);
  const { strides, pads } = windowFor(
    withoutUndefined({ strides: node.attributes.strides, pads: node.attributes.pads }),
    rank,
  ) as {
    strides?: readonly number[];
    pads?: readonly number[];
  };
  const made = images.kernelNode({
    op: 'ConvTranspose2d',
    // `[in, out, …kernel]` → `[…kernel, out, in]`: the filter of the convolution that this transposes.
    inputs: [asImage(images, x), images.transpose(asFilter(images, w), filterLast)],
    attributes: { ...(strides && { strides }), ...(pads && { pads }), image: shape.slice(1, 3) as readonly number[] },
    shape,
  });
  return fromImage(images, bias === undefined ? made : images.builder.op('Add', [made, bias]), rank);
});

// One product and one sum a tap of the kernel: a convolution a channel would cost far more calls.
const weightGradient: ImageLowering<'ConvWeightGradient'> = image((node, images) => {
  const [x, dy] = images.inputs as [Value, Value];
  const { group, weight_shape: weight } = node.attributes;
  const isDepthwise = weight[1] === 1 && group === x.shape[1] && group > 1 && weight.length === 4;
  if (!isDepthwise || !takes(node, 'float32') || !isConcrete(x.shape) || !isConcrete(dy.shape)) return undefined;
  const { builder } = images;
  const [rows, columns] = weight.slice(2) as [number, number];
  const axes = [rows, columns].map((kernel, index) =>
    axisWindow(node.attributes, { index, rank: 2, extent: Number(x.shape[index + 2]), kernel }),
  );
  const picture = images.transpose(repeatChannels(images, x, Number(weight[0]) / group), toLast(4));
  const padded = zeroPadded(
    builder,
    picture,
    [0, ...axes.map(({ before }) => before), 0],
    [0, ...axes.map(({ after }) => after), 0],
  );
  const gradient = images.transpose(dy, toLast(4));
  const taps: Value[] = [];
  for (let tap = 0; tap < rows * columns; tap++) {
    const places = [Math.floor(tap / columns), tap % columns];
    const part = sliceOf(
      builder,
      padded,
      axes.map(({ stride, dilation }, index) => {
        const start = (places[index] as number) * dilation;
        const end = start + (Number(gradient.shape[index + 1]) - 1) * stride + 1;
        return { axis: index + 1, start, end, step: stride };
      }),
    );
    const sum = builder.op('ReduceSum', [builder.op('Mul', [part, gradient]), builder.integers([0, 1, 2])], {
      keepdims: 0,
    });
    taps.push(reshapeTo(builder, sum, [1, weight[0] as number]));
  }
  return reshapeTo(builder, images.transpose(builder.op('Concat', taps, { axis: 0 }), [1, 0]), weight);
});

function repeatChannels({ builder }: ImageBuilder, x: Value, times: number): Value {
  if (times === 1) return x;
  const [batch, channels, ...spatial] = x.shape as readonly number[];
  const split = reshapeTo(builder, x, [batch as number, channels as number, 1, ...spatial]);
  const tiled = builder.op('Tile', [split, builder.integers([1, 1, times, ...spatial.map(() => 1)])]);
  return reshapeTo(builder, tiled, [batch as number, (channels as number) * times, ...spatial]);
}

interface PoolNode extends WindowAttributes {
  readonly kernel_shape: readonly number[];
  readonly count_include_pad?: number;
}

/** Undefined where the kernels of pools do not fit: dilations, more axes, another dtype. */
function pool(
  images: ImageBuilder,
  node: NodeOf<'MaxPool'> | NodeOf<'AveragePool'> | NodeOf<'MaxPoolGradient'> | NodeOf<'AveragePoolGradient'>,
  made: { readonly op: string; readonly attributes?: { readonly image: readonly number[] } },
): Value | undefined {
  const { kernel_shape, strides, pads, dilations, auto_pad, ceil_mode } = node.attributes as PoolNode;
  const rank = (images.inputs[0] as Value).shape.length;
  const isDilated = (dilations ?? []).some((each) => each !== 1);
  if (isDilated || !isFlat(rank) || !takes(node, 'float32')) return undefined;
  const attributes = windowFor(withoutUndefined({ kernel_shape, strides, pads, auto_pad, ceil_mode }), rank);
  const result = images.kernelNode({
    op: made.op,
    inputs: images.inputs.map((input) => asImage(images, input as Value)),
    attributes: { ...attributes, ...made.attributes },
    shape: imageShape(node.outputs[0]?.shape as Shape),
  });
  return fromImage(images, result, rank);
}

/** Whether every window lies inside the image, so that all divide by the same count. */
function isUnpadded({ pads, auto_pad: mode, ceil_mode: ceil }: WindowAttributes): boolean {
  return (pads ?? []).every((each) => each === 0) && !(mode ?? 'NOTSET').startsWith('SAME') && !ceil;
}

const averagePool: ImageLowering<'AveragePool'> = image((node, images) => {
  // Kernels leave padding out of the count; what rounding up adds they treat like padding.
  if (node.attributes.count_include_pad === 1 && !isUnpadded(node.attributes)) return undefined;
  return pool(images, node, { op: 'AveragePool2d' });
});

const averagePoolGradient: ImageLowering<'AveragePoolGradient'> = image((node, images) => {
  const shape = imageShape(node.attributes.input_shape);
  if (!isUnpadded(node.attributes)) return undefined;
  return pool(images, node, { op: 'AveragePool2dGradient', attributes: { image: shape as readonly number[] } });
});

/** Attributes without those that are undefined. */
function withoutUndefined<A extends object>(attributes: A): { readonly [name: string]: never } {
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined)) as {
    readonly [name: string]: never;
  };
}

/** Convolutions and pools. */
export const imageLowerings: LoweringFamily<
  | 'Conv'
  | 'ConvTranspose'
  | 'ConvInputGradient'
  | 'ConvWeightGradient'
  | 'MaxPool'
  | 'AveragePool'
  | 'LpPool'
  | 'GlobalAveragePool'
  | 'GlobalMaxPool'
  | 'GlobalLpPool'
  | 'MaxUnpool'
  | 'MaxPoolGradient'
  | 'AveragePoolGradient'
> = {
  Conv: convolution,
  ConvTranspose: convTranspose,
  // Both become convolutions: the gradient kernels are naive loops, or missing.
  ConvInputGradient: 'decompose',
  ConvWeightGradient: weightGradient,
  MaxPool: image((node, images) => (node.outputs.length > 1 ? undefined : pool(images, node, { op: 'MaxPool2d' }))),
  AveragePool: averagePool,
  LpPool: 'decompose',
  GlobalAveragePool: 'decompose',
  GlobalMaxPool: 'decompose',
  GlobalLpPool: 'decompose',
  MaxUnpool: { kind: 'host', reason: 'tfjs has no such kernel' },
  MaxPoolGradient: image((node, images) => pool(images, node, { op: 'MaxPool2dGradient' })),
  AveragePoolGradient: averagePoolGradient,
};
