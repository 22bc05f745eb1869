import { ModelwrightError } from '../errors.js';
import type { Value, ValueType } from '../graph/graph.js';
import { reshapeTo } from '../graph/shape-ops.js';
import { allocateData } from '../tensor/dtype.js';
import { addDimensions, concreteShape, type Dimension, formatShape, type Shape, stridesOf } from '../tensor/shape.js';
import { elementCountOf, Tensor } from '../tensor/tensor.js';
import { type AxisTaps, buildTapsTransposed } from './axis-taps.js';
import type { EvaluateContext, GradientContext, InferContext, OpFamily } from './definition.js';
import type { ResizingAttributes } from './resizing.js';
import { between, exactly } from './rules.js';
import { checkedAxis, integersAt, requireDType, requiredIntegers } from './shape-inputs.js';
import type { Fail } from './window.js';

type Attributes = ResizingAttributes['Pad'];
type Mode = Attributes['mode'];

/** Elements added (or, below zero, cut off) at both ends of each axis. */
interface Padding<Extent = number> {
  readonly begins: readonly Extent[];
  readonly ends: readonly Extent[];
}

// Pads are given for `axes` alone, begins first.
function spread<Extent>(rank: number, pads: readonly (Extent | 0)[], axes: readonly number[]): Padding<Extent | 0> {
  const begins = new Array<Extent | 0>(rank).fill(0);
  const ends = new Array<Extent | 0>(rank).fill(0);
  axes.forEach((axis, index) => {
    begins[axis] = pads[index] as Extent;
    ends[axis] = pads[index + axes.length] as Extent;
  });
  return { begins, ends };
}

function axesOf(rank: number, given: readonly number[] | undefined, fail: Fail): readonly number[] {
  if (given === undefined) return Array.from({ length: rank }, (_, axis) => axis);
  return given.map((axis) => checkedAxis(axis, rank, fail, 'axes element'));
}

function inferPad(context: InferContext<Attributes>): readonly ValueType[] {
  const { dtype, shape } = context.input(0);
  requireDType(context, 1, ['int64', 'int32'], 'pads');
  const axes = axesOf(shape.length, requiredIntegers(context, 3, 'axes'), context.fail);
  const held = context.inputs[2];
  if (held !== undefined && held.dtype !== dtype) {
    context.fail(`data is ${dtype}, the constant value ${held.dtype}`, { given: held.dtype }, 'dtype-mismatch');
  }
  const pads = context.dimensions(1);
  if (pads === undefined) {
    return [
      { dtype, shape: shape.map((extent, axis) => (axes.includes(axis) ? context.unknownDimension('pad') : extent)) },
    ];
  }
  if (pads.length !== 2 * axes.length) {
    context.fail(`pads has ${pads.length} elements; ${2 * axes.length} are needed for ${axes.length} axes`, {
      given: pads,
    });
  }
  const { begins, ends } = spread<Dimension>(shape.length, pads, axes);
  const padded = shape.map((extent, axis) =>
    addDimensions(addDimensions(extent, begins[axis] as Dimension), ends[axis] as Dimension),
  );
  checkPadded(context, shape, padded);
  return [{ dtype, shape: padded }];
}

function checkPadded(context: InferContext<Attributes>, shape: Shape, padded: Shape): void {
  padded.forEach((extent, axis) => {
    if (typeof extent === 'number' && extent < 0) {
      context.fail(
        `pads cut more from axis ${axis} than the ${shape[axis]} elements it has. Input ${formatShape(shape)}.`,
      );
    }
    if (context.attributes.mode !== 'constant' && shape[axis] === 0 && extent !== 0) {
      context.fail(`mode '${context.attributes.mode}' has nothing to repeat along the empty axis ${axis}`, {
        given: shape,
      });
    }
  });
}

/**
 * Where each element of a padded axis comes from; −1 for the constant. What negative pads cut off is gone before the rest is
 * repeated.
 */
function sources(extent: number, begin: number, end: number, mode: Mode): Int32Array {
  const first = Math.max(0, -begin);
  const kept = extent - first - Math.max(0, -end);
  const lead = Math.max(0, begin);
  return Int32Array.from({ length: extent + begin + end }, (_, at) => {
    const place = mapped(at - lead, kept, mode);
    return place < 0 ? -1 : first + place;
  });
}

function mapped(place: number, extent: number, mode: Mode): number {
  if (place >= 0 && place < extent) return place;
  if (mode === 'constant') return -1;
  if (mode === 'edge') return place < 0 ? 0 : extent - 1;
  if (mode === 'wrap') return modulo(place, extent);
  if (extent === 1) return 0;
  const folded = modulo(place, 2 * (extent - 1));
  return folded < extent ? folded : 2 * (extent - 1) - folded;
}

const modulo = (a: number, b: number): number => ((a % b) + b) % b;

function evaluatePad(context: EvaluateContext<Attributes>): readonly Tensor[] {
  const data = context.input(0);
  const axes = axesOf(data.rank, integersAt(context, 3), context.fail);
  const { begins, ends } = spread<number>(data.rank, integersAt(context, 1) ?? [], axes);
  const strides = stridesOf(data.shape);
  const offsets = data.shape.map((extent, axis) => {
    const stride = strides[axis] as number;
    const table = sources(extent, begins[axis] as number, ends[axis] as number, context.attributes.mode);
    return table.map((place) => (place < 0 ? -1 : place * stride));
  });
  const fill = context.inputs[2]?.data[0];
  return [gathered(data, offsets, fill)];
}

// Element (i, j, …) of the result lies at Σ offsets[axis][index]; any −1 makes it the filling.
function gathered(data: Tensor, offsets: readonly Int32Array[], fill: unknown): Tensor {
  const shape = offsets.map((table) => table.length);
  const result = allocateData(data.dtype, elementCountOf(shape));
  const [source, target] = [data.data as ArrayLike<unknown>, result as unknown as unknown[]];
  if (fill !== undefined) target.fill(fill);
  let at = 0;
  const spans = stridesOf(shape);
  const visit = (axis: number, from: number): void => {
    if (axis === shape.length) {
      target[at++] = source[from];
      return;
    }
    for (const offset of offsets[axis] as Int32Array) {
      if (offset < 0) at += spans[axis] as number;
      else visit(axis + 1, from + offset);
    }
  };
  if (target.length > 0) visit(0, 0);
  return new Tensor(data.dtype, shape, result);
}

// Zeros: dx is dy with the pads negated. Repetition: each element gets what its copies got.
function padGradient(context: GradientContext<Attributes>): readonly (Value | undefined)[] {
  const { builder, inputs, input, needs, outputGradient: dy, attributes } = context;
  const shape = concreteShape(input(0).shape, 'the data of Pad');
  const { begins, ends } = knownPadding(context, shape.length);
  let dx = dy;
  if (attributes.mode === 'constant') {
    const pads = builder.integers([...begins, ...ends].map((pad) => 0 - pad));
    dx = builder.op('Pad', [dy, pads]);
  } else {
    shape.forEach((extent, axis) => {
      const [begin, end] = [begins[axis] as number, ends[axis] as number];
      if (begin === 0 && end === 0) return;
      dx = buildTapsTransposed(builder, dx, axis, tapsOf(sources(extent, begin, end, attributes.mode), extent));
    });
  }
  const held = inputs[2];
  if (held === undefined || !needs(2)) return [dx];
  const total = (value: Value): Value => builder.op('ReduceSum', [value], { keepdims: 0 });
  const fill = builder.op('Sub', [total(dy), total(dx)]);
  return [dx, undefined, reshapeTo(builder, fill, concreteShape(held.shape, 'the constant value'))];
}

function tapsOf(indices: Int32Array, from: number): AxisTaps {
  return { taps: 1, from, to: indices.length, indices, weights: new Float64Array(indices.length).fill(1) };
}

function knownPadding({ builder, inputs, input }: GradientContext<Attributes>, rank: number): Padding {
  const integers = (index: number): readonly number[] | undefined => {
    const value = inputs[index];
    const known = value && builder.known.of(value);
    if (value === undefined || known?.every((each): each is number => typeof each === 'number')) return known as never;
    throw new ModelwrightError('unsupported-shape', `the gradient of Pad needs '${value.name}' to be a constant`, {
      op: 'Pad',
      input: value.name,
    });
  };
  const fail: Fail = (message, details, code = 'invalid-attribute') => {
    throw new ModelwrightError(code, `Pad of '${input(0).name}': ${message}`, details);
  };
  return spread<number>(rank, integers(1) ?? [], axesOf(rank, integers(3), fail));
}

/** Padding and its opposite. */
export const padding: Pick<OpFamily<ResizingAttributes>, 'Pad'> = {
  /** Adds elements at the ends of axes, or cuts them off where pads are negative. */
  Pad: {
    inputs: between(2, 4),
    outputs: exactly(1),
    attributes: { mode: { kind: 'string', default: 'constant' } },
    infer: inferPad,
    gradient: padGradient,
    evaluate: evaluatePad,
  },
};
