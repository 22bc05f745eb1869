import {
  concreteShape,
  elementCountOf,
  type GraphBuilder,
  type OpAttributes,
  onnxDataType,
  Tensor,
  type Value,
} from '@modelwright/core';
import { rankUnit } from '../pooling.js';
import { blockedDomain } from './blocked-layout.js';

/** A pooling whose windows stand side by side, on values in the blocked layout. */
export interface BlockedPooling {
  readonly builder: GraphBuilder;
  readonly attributes: OpAttributes['MaxPoolGradient'];
  readonly block: number;
  /** As many places are counted in float32; default 2²⁴, as far as that is exact. */
  readonly mostExactPlaces?: number;
}

/** Blocked `[n, c, h, w]` → blocked `[n, c, ⌊h/p⌋, ⌊w/q⌋]`. */
export function maxPoolBlocked({ builder, attributes }: Omit<BlockedPooling, 'block'>, x: Value): Value {
  const [batch, channels, ...extents] = x.shape as readonly number[];
  const kernel = attributes.kernel_shape;
  const pooled = extents.map((extent, axis) => Math.floor(extent / (kernel[axis] as number)));
  const [y] = builder.foreign({
    op: 'MaxPool',
    domain: blockedDomain,
    inputs: [x],
    attributes: { kernel_shape: kernel, strides: kernel },
    attributeKinds: { kernel_shape: 'ints', strides: 'ints' },
    outputs: [{ dtype: x.dtype, shape: [batch as number, channels as number, ...pooled] }],
  });
  return y as Value;
}

/**
 * `dx`: each `dy` goes to the first maximum of its window; all values blocked. `x − y + rank` is the rank, a tiny number, of a place that
 * holds the maximum, and below 0 elsewhere. Places are counted in the layout's own memory: `(((n·C + c)·h + i)·w + j)·b + k` for channel `c·b + k`, `C` blocks of `b` channels.
 */
export function maxPoolGradientBlocked(pooling: BlockedPooling, x: Value, y: Value, dy: Value): Value {
  const { builder, attributes } = pooling;
  const kernel = attributes.kernel_shape as readonly [number, number];
  const places = placesOfMaxima(pooling, x, y);
  const shape = builder.integers(concreteShape(x.shape, `'${x.name}'`));
  return builder.op('MaxUnpool', [dy, places, shape], { kernel_shape: kernel, strides: kernel });
}

function placesOfMaxima(pooling: BlockedPooling, x: Value, y: Value): Value {
  const { builder, attributes, block, mostExactPlaces = 2 ** 24 } = pooling;
  const [batch, channels, height, width] = concreteShape(x.shape, `'${x.name}'`) as [number, number, number, number];
  const [rows, columns] = concreteShape(y.shape, `'${y.name}'`).slice(2) as [number, number];
  const [down, across] = attributes.kernel_shape as readonly [number, number];
  const [tall, wide, taps] = [rows * down, columns * across, down * across];
  const blocks = channels / block;
  const number = (value: number): Value => builder.scalar(value, 'float32');
  const reshape = (value: Value, shape: readonly number[]): Value =>
    builder.op('Reshape', [value, builder.integers(shape)]);
  /** The layout as its memory has it, for what tells places apart. */
  const open = (value: Value, extents: readonly number[]): Value => reshape(value, [batch, blocks, ...extents, block]);
  const close = (value: Value, extents: readonly number[]): Value => reshape(value, [batch, channels, ...extents]);

  const isWhole = tall === height && wide === width;
  const tiled = isWhole ? x : close(crop(builder, open(x, [height, width]), [tall, wide]), [tall, wide]);
  const below = builder.op('Sub', [tiled, spread(builder, y, [down, across])]);
  // Ranks fall in row-major order, so that the maximum tells the first place where nothing is below.
  const ranks = floats(builder, [1, 1, tall, wide, block], (index) => {
    const place = Math.floor(index / block);
    const [row, column] = [Math.floor(place / wide) % down, (place % wide) % across];
    return (taps - (row * across + column)) * rankUnit;
  });
  const ranked = close(builder.op('Add', [open(below, [tall, wide]), ranks]), [tall, wide]);
  const highest = open(maxPoolBlocked({ builder, attributes }, ranked), [rows, columns]);
  const best = builder.op('Mul', [highest, number(block / rankUnit)]);
  const row = builder.op('Floor', [
    builder.op('Add', [builder.op('Mul', [best, number(-1 / (across * block))]), number((taps + 0.5) / across)]),
  ]);
  // float32 counts the places of the whole tensor exactly if they are few; else those of a block, whose start is added in int64.
  const [area, total] = [height * width * block, elementCountOf([batch, channels, height, width])];
  const isExact = total + taps * block <= mostExactPlaces;
  const corners = floats(builder, [...(isExact ? [batch, blocks] : [1, 1]), rows, columns, block], (index) => {
    const place = Math.floor(index / block);
    const [image, i, j] = [
      Math.floor(place / (rows * columns)),
      Math.floor((place % (rows * columns)) / columns),
      place % columns,
    ];
    return image * area + (i * down * width + j * across + taps) * block + (index % block);
  });
  const inWindow = builder.op('Sub', [corners, best]);
  const found = builder.op('Add', [inWindow, builder.op('Mul', [row, number((width - across) * block)])]);
  // A window of NaN has no maximum; its place would lie outside, and the op that writes there does not look.
  const within = builder.op('Clip', [
    builder.op('Cast', [found], { to: onnxDataType('int64') }),
    builder.scalar(0, 'int64'),
    builder.scalar((isExact ? total : area) - 1, 'int64'),
  ]);
  if (isExact) return close(within, [rows, columns]);
  const starts = BigInt64Array.from({ length: batch * blocks }, (_, image) => BigInt(image * area));
  const offsets = builder.constant(new Tensor('int64', [batch, blocks, 1, 1, 1], starts));
  return close(builder.op('Add', [within, offsets]), [rows, columns]);
}

/** Each element as often as its window has places. */
function spread(builder: GraphBuilder, y: Value, [down, across]: readonly [number, number]): Value {
  const [batch, channels, rows, columns] = y.shape as readonly [number, number, number, number];
  const [wide] = builder.foreign({
    op: 'Upsample',
    domain: blockedDomain,
    inputs: [y],
    attributes: { scales: [1, 1, down, across], mode: 'nearest', coordinate_transformation_mode: 'asymmetric' },
    attributeKinds: { scales: 'ints', mode: 'string', coordinate_transformation_mode: 'string' },
    outputs: [{ dtype: y.dtype, shape: [batch, channels, rows * down, columns * across] }],
  });
  return wide as Value;
}

function crop(builder: GraphBuilder, x: Value, extents: readonly number[]): Value {
  return builder.op('Slice', [x, builder.integers([0, 0]), builder.integers(extents), builder.integers([2, 3])]);
}

function floats(builder: GraphBuilder, shape: readonly number[], at: (index: number) => number): Value {
  const data = Float32Array.from({ length: elementCountOf(shape) }, (_, index) => at(index));
  return builder.constant(new Tensor('float32', shape, data));
}

/** `Σ` over all but the channels of a blocked value; plain. In two steps that the runtime has fast loops for. */
export function sumOfChannels({ builder, block }: Omit<BlockedPooling, 'attributes'>, x: Value): Value {
  const [batch, channels, height, width] = concreteShape(x.shape, `'${x.name}'`) as [number, number, number, number];
  const reshape = (value: Value, shape: readonly number[]): Value =>
    builder.op('Reshape', [value, builder.integers(shape)]);
  const areas = reshape(x, [(batch * channels) / block, height * width, block]);
  const each = builder.op('ReduceSum', [areas, builder.integers([1])], { keepdims: 0 });
  return builder.op('ReduceSum', [reshape(each, [batch, channels]), builder.integers([0])], { keepdims: 0 });
}
