import { type ErrorCode, type ErrorDetails, ModelwrightError } from '../errors.js';
import type { Value } from '../graph/graph.js';
import type { GraphBuilder } from '../graph/graph-builder.js';
import { reshapeTo, sliceOf, zeroPadded, zerosOf } from '../graph/shape-ops.js';
import { addDimensions, concreteShape, type Dimension, type Shape, stridesOf } from '../tensor/shape.js';
import type { EvaluateContext, GradientContext, InferContext, NoAttributes, OpDefinition } from './definition.js';
import { between } from './rules.js';
import { checkedAxis, integersAt, requireDType, vectorLength } from './shape-inputs.js';
import { stridedCopy } from './strided-copy.js';

type Fail = InferContext<object>['fail'];

/** What `Slice` takes from one axis: `extent` elements from `start` in steps of `step`. */
interface Taken {
  readonly start: number;
  readonly step: number;
  readonly extent: number;
}

// Ends as far as these mean "to the edge": exporters write INT_MAX or INT64_MAX (and INT_MIN for negative steps).
const edge = 2 ** 31 - 1;

/** `y = x[start:end:step, …]` with NumPy's rules for negative and out-of-range bounds. */
export const slice: OpDefinition<NoAttributes> = {
  inputs: between(3, 5),
  outputs: { min: 1, max: 1 },
  attributes: {},
  infer: (context) => {
    const { dtype, shape } = context.input(0);
    return [{ dtype, shape: slicedShape(context, shape) }];
  },
  gradient: sliceGradient,
  evaluate: (context) => {
    const data = context.input(0);
    const taken = takenByAxis(context, data.shape);
    const strides = stridesOf(data.shape);
    const offset = taken.reduce((sum, { start }, axis) => sum + start * (strides[axis] as number), 0);
    return [
      stridedCopy(data, {
        shape: taken.map(({ extent }) => extent),
        strides: taken.map(({ step }, axis) => step * (strides[axis] as number)),
        offset,
      }),
    ];
  },
};

function takenByAxis(context: EvaluateContext<object>, shape: readonly number[]): readonly Taken[] {
  return resolveBounds((index) => integersAt(context, index), shape, context.fail);
}

function resolveBounds(
  integers: (index: number) => readonly number[] | undefined,
  shape: readonly number[],
  fail: Fail,
): readonly Taken[] {
  const starts = integers(1) ?? [];
  const ends = integers(2) ?? [];
  const axes = integers(3) ?? starts.map((_, index) => index);
  const steps = integers(4) ?? starts.map(() => 1);
  checkLengths([starts, ends, axes, steps], fail);
  const taken = shape.map((extent): Taken => ({ start: 0, step: 1, extent }));
  for (const [index, axis] of checkedAxes(axes, shape.length, fail).entries()) {
    const bounds = [starts[index], ends[index], steps[index]] as [number, number, number];
    taken[axis] = takenFrom(shape[axis] as number, bounds, fail);
  }
  return taken;
}

function checkLengths(vectors: readonly (readonly unknown[])[], fail: Fail): void {
  const lengths = vectors.map((vector) => vector.length);
  if (lengths.some((length) => length !== lengths[0])) {
    fail(`starts, ends, axes and steps have different lengths: ${lengths.join(', ')}`, { given: lengths });
  }
}

function checkedAxes(axes: readonly number[], rank: number, fail: Fail): readonly number[] {
  const checked = axes.map((axis) => checkedAxis(axis, rank, fail));
  if (new Set(checked).size !== axes.length)
    fail(`axes [${axes}] name an axis twice`, { given: axes }, 'value-out-of-range');
  return checked;
}

/** NumPy's `slice.indices`. */
function takenFrom(extent: number, [start, end, step]: [number, number, number], fail: Fail): Taken {
  if (step === 0) fail('a step of 0 takes nothing; steps must not be 0', { given: step }, 'value-out-of-range');
  const [low, high] = step > 0 ? [0, extent] : [-1, extent - 1];
  const clamp = (bound: number): number => Math.max(low, Math.min(high, bound < 0 ? bound + extent : bound));
  const [from, to] = [clamp(start), clamp(end)];
  const count = Math.max(0, Math.ceil((to - from) / step));
  return { start: count === 0 ? 0 : from, step, extent: count };
}

function slicedShape(context: InferContext<object>, shape: Shape): Shape {
  for (const index of [1, 2, 3, 4]) {
    if (context.inputs[index] !== undefined) requireDType(context, index, ['int64', 'int32']);
  }
  const count = vectorLength(context, 1, 'starts');
  const axes = knownAxes(context, count, shape.length);
  if (axes === undefined) return shape.map(() => context.unknownDimension('slice'));
  const starts = context.dimensions(1) ?? axes.map(() => undefined);
  const ends = context.dimensions(2) ?? axes.map(() => undefined);
  const steps =
    context.inputs[4] === undefined ? axes.map(() => 1) : (context.dimensions(4) ?? axes.map(() => undefined));
  checkLengths([starts, ends, axes, steps], context.fail);
  const result = [...shape];
  for (const [index, axis] of axes.entries()) {
    const bounds = { start: starts[index], end: ends[index], step: steps[index] };
    result[axis] = slicedExtent(context, shape[axis] as Dimension, bounds) ?? context.unknownDimension('slice');
  }
  return result;
}

function knownAxes(context: InferContext<object>, count: number, rank: number): readonly number[] | undefined {
  if (context.inputs[3] === undefined) {
    return checkedAxes([...Array(count).keys()], rank, context.fail);
  }
  const axes = context.dimensions(3);
  if (axes === undefined || axes.some((axis) => typeof axis === 'string')) return undefined;
  return checkedAxes(axes as readonly number[], rank, context.fail);
}

interface Bounds {
  readonly start: Dimension | undefined;
  readonly end: Dimension | undefined;
  readonly step: Dimension | undefined;
}

function slicedExtent(context: InferContext<object>, extent: Dimension, bounds: Bounds): Dimension | undefined {
  const { start, end, step } = bounds;
  if (typeof step !== 'number' || start === undefined || end === undefined) return undefined;
  if (typeof extent === 'number' && typeof start === 'number' && typeof end === 'number') {
    return takenFrom(extent, [start, end, step], context.fail).extent;
  }
  if (step === -1) return start === -1 && typeof end === 'number' && end <= -edge ? extent : undefined;
  return step === 1 ? symbolicExtent(extent, start, end) : undefined;
}

/** Extent of `[start:end]` where a symbol is involved, taking the bounds to lie within the axis as exporters mean them. */
function symbolicExtent(extent: Dimension, start: Dimension, end: Dimension): Dimension | undefined {
  const toEdge = end === extent || (typeof end === 'number' && end >= edge);
  if (toEdge) {
    if (typeof start === 'number') return start < 0 ? -start : addDimensions(extent, -start);
    return undefined;
  }
  if (start !== 0) return undefined;
  if (typeof end === 'number') return end < 0 ? addDimensions(extent, end) : undefined;
  return end.includes('?value') ? undefined : end;
}

/**
 * dx is zero but where y was taken from: dy is put in order, spread by the step (zeros between), and padded. That is
 * `Slice`, `Pad` and `Reshape` only, which runtimes do faster than a scatter.
 */
function sliceGradient(context: GradientContext<object>): readonly (Value | undefined)[] {
  const { builder, input, inputs, outputGradient } = context;
  const shape = concreteShape(input(0).shape, `'${input(0).name}'`);
  const whole = concreteShape(outputGradient.shape, 'the gradient of a Slice');
  const rest = inputs.slice(1).map(() => undefined);
  if (whole.includes(0)) return [zerosOf(builder, outputGradient.dtype, shape), ...rest];
  const taken = constantBounds(context, shape);
  const reversed = taken.flatMap(({ step }, axis) =>
    step < 0 ? [{ axis, start: -1, end: -(2 ** 31), step: -1 }] : [],
  );
  let gradient = sliceOf(builder, outputGradient, reversed);
  const before = taken.map(({ start, step, extent }) => (step < 0 ? start + (extent - 1) * step : start));
  for (const [axis, { step }] of taken.entries()) gradient = spread(builder, gradient, axis, Math.abs(step));
  const after = shape.map((extent, axis) => extent - (before[axis] as number) - (gradient.shape[axis] as number));
  return [zeroPadded(builder, gradient, before, after), ...rest];
}

/** Puts `step − 1` zeros between neighbours along `axis`. */
function spread(builder: GraphBuilder, value: Value, axis: number, step: number): Value {
  const shape = value.shape as readonly number[];
  const extent = shape[axis] as number;
  if (step === 1 || extent === 1) return value;
  const split = [...shape.slice(0, axis + 1), 1, ...shape.slice(axis + 1)];
  const zero = split.map(() => 0);
  const padded = zeroPadded(builder, reshapeTo(builder, value, split), zero, zero.with(axis + 1, step - 1));
  const spaced = reshapeTo(builder, padded, shape.with(axis, extent * step));
  return sliceOf(builder, spaced, [{ axis, start: 0, end: (extent - 1) * step + 1 }]);
}

function constantBounds({ builder, inputs }: GradientContext<object>, shape: readonly number[]): readonly Taken[] {
  const fail = (message: string, details: ErrorDetails = {}, code: ErrorCode = 'not-differentiable'): never => {
    throw new ModelwrightError(code, `the gradient of Slice: ${message}`, { op: 'Slice', ...details });
  };
  const integers = (index: number): readonly number[] | undefined => {
    const value = inputs[index];
    if (value === undefined) return undefined;
    const known = builder.known.of(value);
    if (known?.every((extent): extent is number => typeof extent === 'number')) return known;
    return fail(`its bounds '${value.name}' must be known when the graph is built`);
  };
  return resolveBounds(integers, shape, fail);
}
