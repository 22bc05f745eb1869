import type { ValueType } from '../graph/graph.js';
import { type DType, isFloat, isInteger } from '../tensor/dtype.js';
import { broadcastShapes, formatShape } from '../tensor/shape.js';
import { elementCountOf, fromNumbers, type Tensor, toNumbers } from '../tensor/tensor.js';
import { applyBroadcast } from './arithmetic.js';
import { advance, broadcastStrides } from './broadcast-rows.js';

export { broadcastStrides } from './broadcast-rows.js';

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

/** Shape rule: like {@link sameAsInput}, integers and floats only. */
export function sameAsNumericInput(context: InferContext<object>): readonly ValueType[] {
  requireNumeric(context, 0);
  return sameAsInput(context);
}

/** Shape rule: like {@link broadcastInputs}, integers and floats only. */
export function broadcastNumericInputs(context: InferContext<object>): readonly ValueType[] {
  requireNumeric(context, 0);
  return broadcastInputs(context);
}

/** Shape rule: like {@link broadcastInputs}, floats only. */
export function broadcastFloatInputs(context: InferContext<object>): readonly ValueType[] {
  requireFloat(context, 0);
  return broadcastInputs(context);
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

/** Throws `dtype-mismatch` unless input `index` is an integer or a float. */
export function requireNumeric(context: InferContext<object>, index: number): void {
  const { dtype } = context.input(index);
  if (!isFloat(dtype) && !isInteger(dtype))
    context.fail(`input ${index} is ${dtype}; a number is needed`, { given: dtype }, 'dtype-mismatch');
}

/** Throws `dtype-mismatch` unless input `index` has one of the `allowed` dtypes. */
export function requireDType(context: InferContext<object>, index: number, ...allowed: readonly DType[]): void {
  const { dtype } = context.input(index);
  if (!allowed.includes(dtype)) {
    context.fail(
      `input ${index} is ${dtype}; ${allowed.join(' or ')} is needed`,
      { given: dtype, allowed },
      'dtype-mismatch',
    );
  }
}

/** Throws `dtype-mismatch` unless inputs `a` and `b` have the same dtype. */
export function requireSameDType(context: InferContext<object>, a: number, b: number): void {
  const [left, right] = [context.input(a).dtype, context.input(b).dtype];
  if (left !== right) {
    context.fail(
      `input ${b} is ${right}, but input ${a} is ${left}`,
      { given: right, allowed: left },
      'dtype-mismatch',
    );
  }
}

/** Throws `shape-mismatch` unless input `index` has exactly `rank` axes. */
export function requireRank(context: InferContext<object>, index: number, rank: number, what = `input ${index}`): void {
  const { shape } = context.input(index);
  if (shape.length !== rank)
    context.fail(`${what} has shape ${formatShape(shape)}; rank ${rank} is needed`, { given: shape });
}

/** `axis` counted from the front; throws `invalid-attribute` with the user's layer when it is out of range. */
export function requireAxis(context: InferContext<object>, axis: number, rank: number): number {
  if (Number.isInteger(axis) && axis >= -rank && axis < rank) return axis < 0 ? axis + rank : axis;
  const allowed = rank === 0 ? 'a scalar has no axes' : `allowed is ${-rank}…${rank - 1}`;
  return context.fail(
    `axis ${axis} is out of range for rank ${rank}; ${allowed}`,
    { given: axis },
    'invalid-attribute',
  );
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
  const shape = broadcastShapes(a.shape, b.shape) as readonly number[];
  const data = new Float64Array(elementCountOf(shape));
  applyBroadcast({ a, b, shape, x: toNumbers(a), y: toNumbers(b), data }, apply);
  return fromNumbers(dtype, shape, data);
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
