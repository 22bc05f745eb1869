import { fromNumbers, isConcrete, type Node, type Tensor, type Value } from '@modelwright/core';
import { type Emission, permuted, range, toFirst, toLast, unsupported } from './emission.js';
import type { Emit } from './emit.js';
import { attribute } from './tensorflow-graph.js';

const samePerm = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((axis, index) => axis === b[index]);

const transpose: Emit = (emission, node) => {
  const x = node.inputs[0] as Value;
  const output = node.outputs[0] as Value;
  const rank = x.shape.length;
  const perm = (node.attributes['perm'] as readonly number[] | undefined) ?? [...range(rank)].reverse();
  // A change between the two layouts of an image costs nothing: it is the other form of the same tensor.
  if (rank > 2 && samePerm(perm, toLast(rank)) && emission.isLast(x)) emission.bind(output, emission.readLast(x));
  else if (rank > 2 && samePerm(perm, toFirst(rank))) emission.bindLast(output, emission.read(x));
  else emission.bind(output, emission.transpose(emission.read(x), perm));
};

/** Any op that gives its input another shape. */
const reshape: Emit = (emission, node) => {
  const [x, asked] = node.inputs as [Value, Value | undefined];
  const output = node.outputs[0] as Value;
  const unknown = output.shape.filter((extent) => typeof extent !== 'number');
  const { graph } = emission;
  const isComputed = node.op === 'Reshape' && asked !== undefined && emission.constantOf(asked) === undefined;
  const shape =
    unknown.length <= 1
      ? emission.integers(output.shape.map((extent) => (typeof extent === 'number' ? extent : -1)))
      : isComputed
        ? emission.read(asked)
        : emission.shapeTensor(output, x, (axis) => axisOfSymbol(node, x, output.shape[axis]));
  emission.bind(output, graph.add('Reshape', [emission.read(x), shape], {}, node.name));
};

function axisOfSymbol(node: Node, x: Value, symbol: Value['shape'][number] | undefined): number {
  const axis = x.shape.indexOf(symbol as string);
  if (axis < 0) throw unsupported(node, `the extent '${symbol}' of its result is not one of its input`);
  return axis;
}

const expand: Emit = (emission, node) => {
  const [x, shape] = node.inputs as [Value, Value];
  const output = node.outputs[0] as Value;
  const { graph } = emission;
  if (isConcrete(output.shape)) {
    const target = emission.integers(output.shape as readonly number[]);
    return emission.bind(output, graph.add('BroadcastTo', [emission.read(x), target], {}, node.name));
  }
  // Where extents are computed, a product with ones has the wanted shape in either case.
  const ones = graph.add('Fill', [emission.read(shape), emission.float(1)]);
  const product = graph.add('Mul', [graph.add('Cast', [emission.read(x)], types(x, 'float32')), ones]);
  const back = graph.add(
    'Cast',
    [product],
    { SrcT: attribute.type('float32'), DstT: attribute.type(x.dtype) },
    node.name,
  );
  emission.bind(output, back);
};

const types = (x: Value, to: 'float32' | 'int32') => ({ SrcT: attribute.type(x.dtype), DstT: attribute.type(to) });

const concat: Emit = (emission, node) => {
  const inputs = node.inputs as readonly Value[];
  const output = node.outputs[0] as Value;
  const rank = output.shape.length;
  const axis = (Number(node.attributes['axis']) + rank) % rank;
  const count = { N: attribute.int(inputs.length) };
  if (rank > 2 && inputs.some((input) => emission.isLast(input))) {
    const place = emission.integer(toLast(rank).indexOf(axis));
    const parts = inputs.map((input) => emission.readLast(input));
    emission.bindLast(output, emission.graph.add('ConcatV2', [...parts, place], count, node.name));
  } else {
    const parts = inputs.map((input) => emission.read(input));
    emission.bind(output, emission.graph.add('ConcatV2', [...parts, emission.integer(axis)], count, node.name));
  }
};

const split: Emit = (emission, node) => {
  const x = node.inputs[0] as Value;
  const rank = x.shape.length;
  const axis = (Number(node.attributes['axis'] ?? 0) + rank) % rank;
  const sizes = node.outputs.map(({ shape }) => shape[axis]);
  if (sizes.some((size) => typeof size !== 'number')) throw unsupported(node, 'the sizes of its parts are not known');
  const inputs = [emission.read(x), emission.integers(sizes as readonly number[]), emission.integer(axis)];
  const name = emission.graph.add('SplitV', inputs, { num_split: attribute.int(sizes.length) }, node.name);
  node.outputs.forEach((output, index) => {
    emission.bind(output, index === 0 ? name : `${name}:${index}`);
  });
};

const slice: Emit = (emission, node) => {
  const x = node.inputs[0] as Value;
  const rank = x.shape.length;
  const [starts, ends] = [emission.numbersOf(node, 1), emission.numbersOf(node, 2)] as [
    readonly number[],
    readonly number[],
  ];
  const axes = (emission.numbersOf(node, 3) ?? range(starts.length)).map((axis) => (axis + rank) % rank);
  const steps = emission.numbersOf(node, 4) ?? starts.map(() => 1);
  const begin = range(rank).map(() => 0);
  const end = range(rank).map(() => 0);
  const strides = range(rank).map(() => 1);
  let [beginMask, endMask] = [(1 << rank) - 1, (1 << rank) - 1];
  axes.forEach((axis, index) => {
    const [start, stop, step] = [starts[index], ends[index], steps[index]] as [number, number, number];
    const extent = x.shape[axis];
    begin[axis] = typeof extent === 'number' ? clampedStart(start, extent, step) : start;
    end[axis] = stop;
    strides[axis] = step;
    beginMask &= ~(1 << axis);
    const isOpen =
      step > 0 ? stop >= 2 ** 31 - 1 || (typeof extent === 'number' && stop >= extent) : reachesFront(stop, extent);
    if (!isOpen) endMask &= ~(1 << axis);
  });
  const bounds = [begin, end, strides].map((values) => emission.integers(values));
  const masks = { begin_mask: attribute.int(beginMask), end_mask: attribute.int(endMask) };
  emission.bind(
    node.outputs[0] as Value,
    emission.graph.add('StridedSlice', [emission.read(x), ...bounds], masks, node.name),
  );
};

const clampedStart = (start: number, extent: number, step: number): number =>
  Math.min(Math.max(start < 0 ? start + extent : start, 0), step > 0 ? extent : extent - 1);

const reachesFront = (stop: number, extent: Value['shape'][number] | undefined): boolean =>
  stop <= -(2 ** 31) || (typeof extent === 'number' && stop < -extent);

const pad: Emit = (emission, node) => {
  const x = node.inputs[0] as Value;
  const rank = x.shape.length;
  const pads = emission.numbersOf(node, 1) as readonly number[];
  const axes = (emission.numbersOf(node, 3) ?? range(rank)).map((axis) => (axis + rank) % rank);
  if (pads.some((each) => each < 0)) throw unsupported(node, 'it takes away at the edges');
  const mode = String(node.attributes['mode'] ?? 'constant');
  if (mode === 'edge' || mode === 'wrap') throw unsupported(node, `padding by '${mode}' is not possible`);
  const before = range(rank).map((axis) => (axes.includes(axis) ? (pads[axes.indexOf(axis)] as number) : 0));
  const after = range(rank).map((axis) =>
    axes.includes(axis) ? (pads[axes.length + axes.indexOf(axis)] as number) : 0,
  );
  const isLast = rank > 2 && emission.isLast(x);
  const order = isLast ? toLast(rank) : range(rank);
  const table = fromNumbers(
    'int32',
    [rank, 2],
    order.flatMap((axis) => [before[axis] as number, after[axis] as number]),
  );
  const inputs = [isLast ? emission.readLast(x) : emission.read(x), emission.graph.constant(table)];
  const value = emission.numbersOf(node, 2)?.[0] ?? 0;
  const name =
    mode === 'constant'
      ? emission.graph.add('PadV2', [...inputs, emission.float(value)], {}, node.name)
      : emission.graph.add('MirrorPad', inputs, { mode: attribute.string('REFLECT') }, node.name);
  if (isLast) emission.bindLast(node.outputs[0] as Value, name);
  else emission.bind(node.outputs[0] as Value, name);
};

const gather: Emit = (emission, node) => {
  const [x, indices] = node.inputs as [Value, Value];
  const rank = x.shape.length;
  const axis = (Number(node.attributes['axis'] ?? 0) + rank) % rank;
  const known = emission.constantOf(indices);
  const extent = x.shape[axis];
  const places =
    known === undefined ? integers(emission, indices) : emission.graph.constant(wrapped(node, known, extent));
  const inputs = [emission.read(x), places, emission.integer(axis)];
  emission.bind(
    node.outputs[0] as Value,
    emission.graph.add('GatherV2', inputs, { batch_dims: attribute.int(0) }, node.name),
  );
};

/** TensorFlow.js does not count indices from the end. */
function wrapped(node: Node, indices: Tensor, extent: Value['shape'][number] | undefined): Tensor {
  const numbers = Array.from(indices.data as ArrayLike<number | bigint>, Number);
  if (numbers.some((index) => index < 0) && typeof extent !== 'number')
    throw unsupported(node, 'it counts from an end that is not known');
  const whole = numbers.map((index) => (index < 0 ? index + Number(extent) : index));
  return fromNumbers('int32', indices.shape as readonly number[], whole);
}

function integers(emission: Emission, value: Value): string {
  return /^u?int/.test(value.dtype)
    ? emission.read(value)
    : emission.graph.add('Cast', [emission.read(value)], types(value, 'int32'));
}

const oneHot: Emit = (emission, node) => {
  const [indices] = node.inputs as readonly Value[];
  const depth = emission.numbersOf(node, 1)?.[0] as number;
  const [off, on] = emission.numbersOf(node, 2) as readonly [number, number];
  const inputs = [
    integers(emission, indices as Value),
    emission.integer(depth),
    emission.float(on),
    emission.float(off),
  ];
  const result = emission.graph.add(
    'OneHot',
    inputs,
    { axis: attribute.int(-1), T: attribute.type('float32') },
    node.name,
  );
  const output = node.outputs[0] as Value;
  const rank = output.shape.length;
  const axis = (Number(node.attributes['axis'] ?? -1) + rank) % rank;
  const perm = range(rank).map((each) => (each === axis ? rank - 1 : each < axis ? each : each - 1));
  emission.bind(output, axis === rank - 1 ? result : emission.transpose(result, perm));
};

const shape: Emit = (emission, node) => {
  const x = node.inputs[0] as Value;
  const rank = x.shape.length;
  const output = node.outputs[0] as Value;
  const { start = 0, end = rank } = node.attributes as { readonly start?: number; readonly end?: number };
  const [first, last] = [start, end].map((each) => Math.min(Math.max(each < 0 ? each + rank : each, 0), rank)) as [
    number,
    number,
  ];
  const part = x.shape.slice(first, last);
  if (isConcrete(part)) return emission.bind(output, emission.integers(part as readonly number[]));
  const whole = emission.graph.add('Shape', [emission.read(x)], { out_type: attribute.type('int32') }, node.name);
  if (first === 0 && last === rank) return emission.bind(output, whole);
  const bounds = [[first], [last], [1]].map((each) => emission.integers(each));
  emission.bind(output, emission.graph.add('StridedSlice', [whole, ...bounds], {}, node.name));
};

const fill: Emit = (emission, node) => {
  const value = node.attributes['value'] as Tensor | undefined;
  const single = value ?? fromNumbers('float32', [], [0]);
  const scalar = emission.graph.constant(
    fromNumbers(single.dtype, [], Array.from(single.data as ArrayLike<number>, Number)),
  );
  const inputs = [emission.read(node.inputs[0] as Value), scalar];
  emission.bind(
    node.outputs[0] as Value,
    emission.graph.add('Fill', inputs, { T: attribute.type(single.dtype) }, node.name),
  );
};

const plain =
  (op: string): Emit =>
  (emission, node) => {
    const inputs = node.inputs.map((input) => emission.read(input as Value));
    emission.bind(node.outputs[0] as Value, emission.graph.add(op, inputs, {}, node.name));
  };

/** Keeps the lower or the upper triangle of known matrices. */
const triangle: Emit = (emission, node) => {
  const x = node.inputs[0] as Value;
  const matrix = x.shape.slice(-2);
  if (!isConcrete(matrix)) throw unsupported(node, 'the size of its matrices is not known');
  const [rows, columns] = matrix as unknown as readonly [number, number];
  const shift = emission.numbersOf(node, 1)?.[0] ?? 0;
  const isUpper = (node.attributes['upper'] ?? 1) === 1;
  const keeps = range(rows).flatMap((row) =>
    range(columns).map((column) => Number(isUpper ? column - row >= shift : column - row <= shift)),
  );
  const mask = emission.graph.constant(fromNumbers(x.dtype === 'bool' ? 'bool' : 'float32', [rows, columns], keeps));
  const op = x.dtype === 'bool' ? 'LogicalAnd' : 'Mul';
  emission.bind(node.outputs[0] as Value, emission.graph.add(op, [emission.read(x), mask], {}, node.name));
};

/** Ops that move elements. */
export const arrayEmits: { readonly [op: string]: Emit } = {
  Transpose: transpose,
  Reshape: reshape,
  Flatten: reshape,
  Squeeze: reshape,
  Unsqueeze: reshape,
  Expand: expand,
  Concat: concat,
  Split: split,
  Slice: slice,
  Pad: pad,
  Tile: plain('Tile'),
  Gather: gather,
  GatherND: plain('GatherNd'),
  OneHot: oneHot,
  Shape: shape,
  Size: plain('Size'),
  Range: plain('Range'),
  ConstantOfShape: fill,
  ScatterND: (emission, node) => {
    if ((node.attributes['reduction'] ?? 'none') !== 'none')
      throw unsupported(node, 'it combines what falls on one place');
    plain('TensorScatterUpdate')(emission, node);
  },
  Trilu: triangle,
};

/** For the tables of others: a constant matrix turned. */
export const turned = (matrix: Tensor): Tensor => permuted(matrix, [1, 0]);
