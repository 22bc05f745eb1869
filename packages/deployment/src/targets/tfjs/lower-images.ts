import { type Dimension, fromNumbers, type Node, reshapeTensor, type Value } from '@modelwright/core';
import { type Emission, permuted, range, unsupported } from './emission.js';
import type { Emit } from './emit.js';
import { attribute } from './tensorflow-graph.js';

/** The window of a convolution or pool along each spatial axis. */
interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly before: readonly number[];
  readonly after: readonly number[];
}

type Extents = readonly Dimension[];

function windowOf(node: Node, extents: Extents, kernel: readonly number[], outputExtents?: Extents): Window {
  const given = (name: string, otherwise: number): readonly number[] =>
    (node.attributes[name] as readonly number[] | undefined) ?? kernel.map(() => otherwise);
  const [strides, dilations] = [given('strides', 1), given('dilations', 1)];
  const mode = node.attributes['auto_pad'] ?? 'NOTSET';
  const pads = (node.attributes['pads'] as readonly number[] | undefined) ?? kernel.flatMap(() => [0, 0]);
  const rank = kernel.length;
  if (mode === 'NOTSET' || mode === 'VALID') {
    const before = mode === 'VALID' ? kernel.map(() => 0) : pads.slice(0, rank);
    const after = mode === 'VALID' ? kernel.map(() => 0) : pads.slice(rank);
    return {
      kernel,
      strides,
      dilations,
      before,
      after: ceiled({ kernel, strides, dilations, before, after }, extents, outputExtents),
    };
  }
  const totals = kernel.map((size, axis) => {
    const extent = extents[axis];
    if (typeof extent !== 'number') throw unsupported(node, `${mode} needs the size of the image`);
    const stride = strides[axis] as number;
    return Math.max(
      0,
      (Math.ceil(extent / stride) - 1) * stride + (size - 1) * (dilations[axis] as number) + 1 - extent,
    );
  });
  const small = totals.map((total) => Math.floor(total / 2));
  const large = totals.map((total) => Math.ceil(total / 2));
  const isUpper = mode === 'SAME_UPPER';
  return { kernel, strides, dilations, before: isUpper ? small : large, after: isUpper ? large : small };
}

/** Padding behind the image that lets a last, partial window fit, where the output has one more for it. */
function ceiled(window: Window, extents: Extents, outputs: Extents | undefined): readonly number[] {
  return window.after.map((after, axis) => {
    const [extent, output] = [extents[axis], outputs?.[axis]];
    if (typeof extent !== 'number' || typeof output !== 'number') return after;
    const span = ((window.kernel[axis] as number) - 1) * (window.dilations[axis] as number) + 1;
    const needed = (output - 1) * (window.strides[axis] as number) + span;
    return Math.max(after, needed - extent - (window.before[axis] as number));
  });
}

/** An image of one or two spatial axes as one of two, channels last. */
function picture(emission: Emission, value: Value): string {
  const last = emission.readLast(value);
  return value.shape.length === 3 ? emission.graph.add('ExpandDims', [last, emission.integer(1)]) : last;
}

/** The way back. */
function bindPicture(emission: Emission, value: Value, name: string): void {
  const flat =
    value.shape.length === 3 ? emission.graph.add('Squeeze', [name], { squeeze_dims: attribute.ints([1]) }) : name;
  emission.bindLast(value, flat);
}

/** A window of one axis as one of two. */
function flat(window: Window): Window {
  if (window.kernel.length !== 1) return window;
  const { kernel, strides, dilations, before, after } = window;
  return {
    kernel: [1, ...kernel],
    strides: [1, ...strides],
    dilations: [1, ...dilations],
    before: [0, ...before],
    after: [0, ...after],
  };
}

function windowAttributes({ strides, dilations, before, after }: Window) {
  const isPadded = [...before, ...after].some((pad) => pad !== 0);
  return {
    T: attribute.type('float32'),
    strides: attribute.ints([1, ...strides, 1]),
    dilations: attribute.ints([1, ...dilations, 1]),
    data_format: attribute.string('NHWC'),
    padding: attribute.string(isPadded ? 'EXPLICIT' : 'VALID'),
    ...(isPadded
      ? {
          explicit_paddings: attribute.ints([
            0,
            0,
            ...before.flatMap((pad, axis) => [pad, after[axis] as number]),
            0,
            0,
          ]),
        }
      : {}),
  };
}

const convolution: Emit = (emission, node) => {
  const [x, w, bias] = node.inputs as [Value, Value, Value | undefined];
  const spatial = x.shape.length - 2;
  const filter = emission.constantOf(w);
  if (filter === undefined) throw unsupported(node, 'its filter is computed');
  if (spatial === 3) return convolution3d(emission, node);
  const given = filter.shape as readonly number[];
  const wide =
    spatial === 1 ? reshapeTensor(filter, [given[0] as number, given[1] as number, 1, given[2] as number]) : filter;
  const group = Number(node.attributes['group'] ?? 1);
  const window = flat(windowOf(node, x.shape.slice(2), given.slice(2)));
  const attributes = windowAttributes(window);
  const image = picture(emission, x);
  const { graph } = emission;
  const plain = (input: string, kernel: typeof wide): string =>
    graph.add('Conv2D', [input, graph.constant(permuted(kernel, [2, 3, 1, 0]), w.name)], attributes, node.name);
  let result: string;
  if (group === 1) result = plain(image, wide);
  else if (given[1] === 1) {
    const [filters, , rows, columns] = wide.shape as readonly [number, number, number, number];
    const byChannel = permuted(reshapeTensor(wide, [group, filters / group, rows, columns]), [2, 3, 0, 1]);
    const inputs = [image, graph.constant(byChannel, w.name)];
    result = graph.add('DepthwiseConv2dNative', inputs, attributes, node.name);
  } else {
    const parts = graph.add('Split', [emission.integer(3), image], { num_split: attribute.int(group) });
    const each = range(group).map((index) =>
      plain(index === 0 ? parts : `${parts}:${index}`, slicedFilters(wide, index, group)),
    );
    result = graph.add('ConcatV2', [...each, emission.integer(3)], { N: attribute.int(group) }, node.name);
  }
  const biased =
    bias === undefined ? result : graph.add('AddV2', [result, emission.read(bias)], {}, `${node.name}.bias`);
  bindPicture(emission, node.outputs[0] as Value, biased);
};

function slicedFilters(filter: Parameters<typeof reshapeTensor>[0], index: number, group: number): typeof filter {
  const shape = filter.shape as readonly number[];
  const size = filter.elementCount / group;
  const data = (filter.data as Float32Array).subarray(index * size, (index + 1) * size);
  return fromNumbers(filter.dtype, [(shape[0] as number) / group, ...shape.slice(1)], data);
}

function convolution3d(emission: Emission, node: Node): void {
  const [x, w, bias] = node.inputs as [Value, Value, Value | undefined];
  if (Number(node.attributes['group'] ?? 1) !== 1) throw unsupported(node, 'it has groups, and three spatial axes');
  const window = windowOf(node, x.shape.slice(2), (w.shape as readonly number[]).slice(2));
  const image = padded(emission, emission.readLast(x), window, 0);
  const kernel = emission.graph.constant(permuted(emission.constantOf(w) as never, [2, 3, 4, 1, 0]), w.name);
  const { strides, dilations, data_format: _, ...others } = windowAttributes({ ...window, before: [0], after: [0] });
  const attributes = { ...others, strides, dilations, data_format: attribute.string('NDHWC') };
  const result = emission.graph.add('Conv3D', [image, kernel], attributes, node.name);
  const biased = bias === undefined ? result : emission.graph.add('AddV2', [result, emission.read(bias)]);
  emission.bindLast(node.outputs[0] as Value, biased);
}

/** A channels-last image with a border. */
function padded(emission: Emission, image: string, { before, after }: Window, value: number): string {
  if ([...before, ...after].every((pad) => pad === 0)) return image;
  const pads = [0, 0, ...before.flatMap((pad, axis) => [pad, after[axis] as number]), 0, 0];
  const table = emission.graph.constant(fromNumbers('int32', [pads.length / 2, 2], pads));
  return emission.graph.add('PadV2', [image, table, emission.float(value)], { T: attribute.type('float32') });
}

const transposedConvolution: Emit = (emission, node) => {
  const [x, w, bias] = node.inputs as [Value, Value, Value | undefined];
  const output = node.outputs[0] as Value;
  const filter = emission.constantOf(w);
  if (filter === undefined) throw unsupported(node, 'its filter is computed');
  if (Number(node.attributes['group'] ?? 1) !== 1 || x.shape.length > 4)
    throw unsupported(node, 'it has groups, or three spatial axes');
  const given = filter.shape as readonly number[];
  const wide =
    x.shape.length === 3
      ? reshapeTensor(filter, [given[0] as number, given[1] as number, 1, given[2] as number])
      : filter;
  const extents = output.shape.slice(2);
  // The window is that of the convolution from the output to the input.
  const window = flat(transposedWindow(node, x.shape.slice(2), extents, given.slice(2)));
  if (window.dilations.some((dilation) => dilation !== 1)) throw unsupported(node, 'it is dilated');
  const [rows, columns] = extents.length === 1 ? [1, extents[0]] : extents;
  if (typeof rows !== 'number' || typeof columns !== 'number')
    throw unsupported(node, 'the size of its result is not known');
  const shape = emission.shapeTensor(
    { shape: [output.shape[0] as Dimension, rows, columns, given[1] as number] },
    x,
    () => 0,
  );
  const kernel = emission.graph.constant(permuted(wide, [2, 3, 1, 0]), w.name);
  const inputs = [shape, kernel, picture(emission, x)];
  const { dilations: _, ...attributes } = windowAttributes(window);
  const result = emission.graph.add('Conv2DBackpropInput', inputs, attributes, node.name);
  const biased = bias === undefined ? result : emission.graph.add('AddV2', [result, emission.read(bias)]);
  bindPicture(emission, output, biased);
};

function transposedWindow(node: Node, inputs: Extents, outputs: Extents, kernel: readonly number[]): Window {
  const strides = (node.attributes['strides'] as readonly number[] | undefined) ?? kernel.map(() => 1);
  const dilations = (node.attributes['dilations'] as readonly number[] | undefined) ?? kernel.map(() => 1);
  const pads = node.attributes['pads'] as readonly number[] | undefined;
  const isUpper = node.attributes['auto_pad'] !== 'SAME_LOWER';
  const isSame = String(node.attributes['auto_pad'] ?? '').startsWith('SAME');
  const before = kernel.map((size, axis) => {
    if (!isSame && node.attributes['output_shape'] === undefined) return pads?.[axis] ?? 0;
    const [input, output] = [Number(inputs[axis]), Number(outputs[axis])];
    const total = Math.max(0, (input - 1) * (strides[axis] as number) + size - output);
    return isUpper ? Math.floor(total / 2) : Math.ceil(total / 2);
  });
  const after = kernel.map((size, axis) => {
    const [input, output] = [Number(inputs[axis]), Number(outputs[axis])];
    if (!Number.isFinite(input) || !Number.isFinite(output)) return pads?.[axis + kernel.length] ?? 0;
    return (input - 1) * (strides[axis] as number) + size - output - (before[axis] as number);
  });
  if ([...before, ...after].some((pad) => pad < 0))
    throw unsupported(node, 'its result is larger than its input reaches');
  return { kernel, strides, dilations, before, after };
}

function poolAttributes({ kernel, strides }: Window) {
  return {
    T: attribute.type('float32'),
    ksize: attribute.ints([1, ...kernel, 1]),
    strides: attribute.ints([1, ...strides, 1]),
    padding: attribute.string('VALID'),
    data_format: attribute.string(kernel.length === 3 ? 'NDHWC' : 'NHWC'),
  };
}

function poolOf(node: Node): { readonly x: Value; readonly window: Window; readonly is3d: boolean } {
  const x = node.inputs[0] as Value;
  const output = node.outputs[0] as Value;
  const kernel = node.attributes['kernel_shape'] as readonly number[];
  const window = flat(windowOf(node, x.shape.slice(2), kernel, output.shape.slice(2)));
  if (window.dilations.some((dilation) => dilation !== 1)) throw unsupported(node, 'its window is dilated');
  if (node.outputs.length > 1) throw unsupported(node, 'its indices are used');
  return { x, window, is3d: kernel.length === 3 };
}

const lowest = -3.4028234663852886e38;

const maxPool: Emit = (emission, node) => {
  const { x, window, is3d } = poolOf(node);
  const image = padded(emission, is3d ? emission.readLast(x) : picture(emission, x), window, lowest);
  const pooled = emission.graph.add(is3d ? 'MaxPool3D' : 'MaxPool', [image], poolAttributes(window), node.name);
  if (is3d) emission.bindLast(node.outputs[0] as Value, pooled);
  else bindPicture(emission, node.outputs[0] as Value, pooled);
};

const averagePool: Emit = (emission, node) => {
  const { x, window, is3d } = poolOf(node);
  const output = node.outputs[0] as Value;
  const image = padded(emission, is3d ? emission.readLast(x) : picture(emission, x), window, 0);
  const pooled = emission.graph.add(is3d ? 'AvgPool3D' : 'AvgPool', [image], poolAttributes(window), node.name);
  const counts = countsOf(node, window);
  const scaled = counts === undefined ? pooled : emission.graph.add('Mul', [pooled, emission.graph.constant(counts)]);
  if (is3d) emission.bindLast(output, scaled);
  else bindPicture(emission, output, scaled);
};

/** What each mean over a whole window has to be multiplied with, where parts of windows lie outside; undefined if none does. */
function countsOf(node: Node, window: Window) {
  const { kernel, strides, before, after } = window;
  if ([...before, ...after].every((pad) => pad === 0)) return undefined;
  const [x, output] = [node.inputs[0] as Value, node.outputs[0] as Value];
  const extents = x.shape.slice(2);
  const results = output.shape.slice(2);
  if ([...extents, ...results].some((extent) => typeof extent !== 'number'))
    throw unsupported(node, 'the size of the image is not known');
  const wide = (shape: Extents): readonly number[] =>
    shape.length === 1 ? [1, shape[0] as number] : (shape as readonly number[]);
  const given = (node.attributes['pads'] as readonly number[] | undefined) ?? [];
  const counted = node.attributes['count_include_pad'] === 1;
  const factors = wide(results).map((count, axis) => {
    const extent = wide(extents)[axis] as number;
    const behind =
      given.length === 2 * kernel.length ? (given[kernel.length + axis] as number) : (after[axis] as number);
    const [least, most] = counted ? [-(before[axis] as number), extent + behind] : [0, extent];
    return range(count).map((index) => {
      const start = index * (strides[axis] as number) - (before[axis] as number);
      const inside = Math.min(start + (kernel[axis] as number), most) - Math.max(start, least);
      return (kernel[axis] as number) / inside;
    });
  });
  const all = factors.reduce<readonly number[]>(
    (sofar, axis) => sofar.flatMap((left) => axis.map((right) => left * right)),
    [1],
  );
  return fromNumbers('float32', [1, ...factors.map(({ length }) => length), 1], all);
}

/** Scale and shift in one step: `x·γ/√(σ² + ε) + (β − μ·γ/√(σ² + ε))`. */
const batchNormalization: Emit = (emission, node) => {
  const [x, ...others] = node.inputs as readonly Value[];
  const [gamma, beta, mean, variance] = others.map((value) => emission.constantOf(value));
  if (!gamma || !beta || !mean || !variance || x === undefined) throw unsupported(node, 'its statistics are computed');
  const numbers = [gamma, beta, mean, variance].map(({ data }) => Array.from(data as Float32Array));
  const epsilon = Number(node.attributes['epsilon'] ?? 1e-5);
  const scale = numbers[0]?.map(
    (each, index) => each / Math.sqrt((numbers[3]?.[index] as number) + epsilon),
  ) as number[];
  const shift = numbers[1]?.map(
    (each, index) => each - (numbers[2]?.[index] as number) * (scale[index] as number),
  ) as number[];
  const constant = (values: number[]): string =>
    emission.graph.constant(fromNumbers('float32', [values.length], values), node.name);
  const isFlat = x.shape.length === 2;
  const image = isFlat ? emission.read(x) : emission.readLast(x);
  const result = emission.graph.add(
    'AddV2',
    [emission.graph.add('Mul', [image, constant(scale)]), constant(shift)],
    {},
    node.name,
  );
  if (isFlat) emission.bind(node.outputs[0] as Value, result);
  else emission.bindLast(node.outputs[0] as Value, result);
};

const resize: Emit = (emission, node) => {
  const [x] = node.inputs as readonly Value[];
  const output = node.outputs[0] as Value;
  const [rows, columns] = output.shape.slice(2);
  const mode = String(node.attributes['mode'] ?? 'nearest');
  const transform = String(node.attributes['coordinate_transformation_mode'] ?? 'half_pixel');
  if (x === undefined || x.shape.length !== 4 || typeof rows !== 'number' || typeof columns !== 'number') {
    throw unsupported(node, 'only images whose new size is known can be resized');
  }
  const from = x.shape.slice(2);
  const isWhole = [rows, columns].every((extent, axis) => extent % Number(from[axis]) === 0);
  const isRounded =
    transform === 'half_pixel' || (transform === 'asymmetric' && node.attributes['nearest_mode'] === 'floor');
  const isPossible =
    (mode === 'linear' && ['half_pixel', 'align_corners', 'asymmetric', 'pytorch_half_pixel'].includes(transform)) ||
    (mode === 'nearest' && isWhole && isRounded);
  if (!isPossible) throw unsupported(node, `resizing by '${mode}' with '${transform}' and these sizes is not possible`);
  const attributes = {
    align_corners: attribute.bool(transform === 'align_corners'),
    half_pixel_centers: attribute.bool(transform.endsWith('half_pixel') && mode === 'linear'),
  };
  const op = mode === 'linear' ? 'ResizeBilinear' : 'ResizeNearestNeighbor';
  const inputs = [emission.readLast(x), emission.integers([rows, columns])];
  emission.bindLast(output, emission.graph.add(op, inputs, attributes, node.name));
};

/** Ops on images, which are computed with their channels last. */
export const imageEmits: { readonly [op: string]: Emit } = {
  Conv: convolution,
  ConvTranspose: transposedConvolution,
  MaxPool: maxPool,
  AveragePool: averagePool,
  BatchNormalization: batchNormalization,
  Resize: resize,
};
