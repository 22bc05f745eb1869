import type { ValueType } from '../graph/graph.js';
import { type DType, isFloat } from '../tensor/dtype.js';
import { broadcastShapes, formatShape, stridesOf } from '../tensor/shape.js';
import { elementCountOf, fromNumbers, type Tensor, toNumbers } from '../tensor/tensor.js';
import type { Arity, EvaluateContext, InferContext } from './definition.js';

/** `exactly(2)`: an op that takes two. */
export const exactly = (count: number): Arity => ({ min: count, max: count });
/** `between(1, 3)`: the last two are optional. */
export const between = (min: number, max: number): Arity => ({ min, max });
/** `atLeast(1)`: variadic. */
export const atLeast = (min: number): Arity => ({ min, max: Number.POSITIVE_INFINITY });

/** Shape rule: output 0 is like input 0. */
export function sameAsInput(context: InferContext<object>): readonly ValueType[] {
  const { dtype, shape } = context.input(0);
  return [{ dtype, shape }];
}

/** Shape rule: like {@link sameAsInput}, floats only. */
export function sameAsFloatInput(context: InferContext<object>): readonly ValueType[] {
  requireFloat(context, 0);
  return sameAsInput(context);
}

/** Shape rule: all inputs share a dtype and broadcast together. */
export function broadcastInputs(context: InferContext<object>): readonly ValueType[] {
  const inputs = context.inputs.map((_, index) => context.input(index));
  const { dtype } = context.input(0);
  for (const input of inputs) {
    if (input.dtype !== dtype) {
      context.fail(
        `inputs have different dtypes: ${inputs.map((each) => each.dtype).join(', ')}`,
        { given: input.dtype, allowed: dtype },
        'dtype-mismatch',
      );
    }
  }
  const shape = broadcastShapes(...inputs.map((input) => input.shape));
  if (shape === undefined) {
    return context.fail(
      `shapes ${inputs.map((input) => formatShape(input.shape)).join(' and ')} do not broadcast together`,
    );
  }
  return [{ dtype, shape }];
}

/** Throws `dtype-mismatch` unless input `index` is floating. */
export function requireFloat(context: InferContext<object>, index: number): void {
  const { dtype } = context.input(index);
  if (!isFloat(dtype))
    context.fail(`input ${index} is ${dtype}; a floating dtype is needed`, { given: dtype }, 'dtype-mismatch');
}

/** Throws `shape-mismatch` unless input `index` has exactly `rank` axes. */
export function requireRank(context: InferContext<object>, index: number, rank: number, what = `input ${index}`): void {
  const { shape } = context.input(index);
  if (shape.length !== rank)
    context.fail(`${what} has shape ${formatShape(shape)}; rank ${rank} is needed`, { given: shape });
}

/** Evaluates a function of one number elementwise. */
export function mapUnary(
  context: EvaluateContext<object>,
  apply: (x: number) => number,
  dtype?: DType,
): readonly Tensor[] {
  const x = context.input(0);
  const values = toNumbers(x);
  const result = new Float64Array(values.length);
  for (let i = 0; i < result.length; i++) result[i] = apply(values[i] as number);
  return [fromNumbers(dtype ?? x.dtype, x.shape, result)];
}

/** Evaluates a function of two numbers with broadcasting. */
export function mapBinary(
  a: Tensor,
  b: Tensor,
  apply: (x: number, y: number) => number,
  dtype: DType = a.dtype,
): Tensor {
  const [x, y] = [toNumbers(a), toNumbers(b)];
  const shape = broadcastShapes(a.shape, b.shape) as readonly number[];
  const result = new Float64Array(elementCountOf(shape));
  forEachBroadcast(shape, [a.shape, b.shape], (at, [left, right]) => {
    result[at] = apply(x[left as number] as number, y[right as number] as number);
  });
  return fromNumbers(dtype, shape, result);
}

/** Visits every index of `shape` with the flat offsets of operands that broadcast to it. The offsets array is reused. */
export function forEachBroadcast(
  shape: readonly number[],
  operands: readonly (readonly number[])[],
  visit: (index: number, offsets: readonly number[]) => void,
): void {
  const total = elementCountOf(shape);
  if (total === 0) return;
  const strides = operands.map((operand) => broadcastStrides(operand, shape));
  const counter = new Array<number>(shape.length).fill(0);
  const offsets = operands.map(() => 0);
  for (let index = 0; index < total; index++) {
    visit(index, offsets);
    advance(counter, shape, strides, offsets);
  }
}

/** Strides of an operand seen through `shape`: 0 along broadcast axes. */
export function broadcastStrides(operand: readonly number[], shape: readonly number[]): number[] {
  const own = stridesOf(operand);
  const lead = shape.length - operand.length;
  return shape.map((_, axis) => (axis < lead || operand[axis - lead] === 1 ? 0 : (own[axis - lead] as number)));
}

function advance(counter: number[], shape: readonly number[], strides: readonly number[][], offsets: number[]): void {
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const next = (counter[axis] as number) + 1;
    const wraps = next === shape[axis];
    counter[axis] = wraps ? 0 : next;
    for (let operand = 0; operand < offsets.length; operand++) {
      const stride = strides[operand]?.[axis] as number;
      offsets[operand] = (offsets[operand] as number) + (wraps ? -stride * (next - 1) : stride);
    }
    if (!wraps) return;
  }
}

/** A tensor of `dtype` like `t` with other values. */
export function likeTensor(t: Tensor, values: Float64Array): Tensor {
  return fromNumbers(t.dtype, t.shape, values);
}
