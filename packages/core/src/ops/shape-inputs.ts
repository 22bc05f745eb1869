import type { Dimension } from '../tensor/shape.js';
import { type Tensor, toNumbers } from '../tensor/tensor.js';
import type { EvaluateContext, InferContext } from './definition.js';

/** Throws `dtype-mismatch` unless input `index` is int64 (or another dtype of `allowed`). */
export function requireDType(
  context: InferContext<object>,
  index: number,
  allowed: readonly string[] = ['int64'],
  what = `input ${index}`,
): void {
  const { dtype } = context.input(index);
  if (allowed.includes(dtype)) return;
  context.fail(`${what} is ${dtype}; allowed: ${allowed.join(', ')}`, { given: dtype, allowed }, 'dtype-mismatch');
}

/** Shapes, pads and axes are never longer; a file may declare any length. */
const longestVector = 1024;

/** How many elements a vector input has; the rank of what depends on it must be known when the graph is built. */
export function vectorLength(context: InferContext<object>, index: number, what: string): number {
  const { shape } = context.input(index);
  const length = shape.length === 1 ? shape[0] : shape.length === 0 ? 1 : undefined;
  if (typeof length === 'number' && length <= longestVector) return length;
  return context.fail(
    `${what} (input ${index}) has shape [${shape}]; a vector of known length, at most ${longestVector}, is needed`,
    { given: shape },
    shape.length > 1 ? 'shape-mismatch' : 'unsupported-shape',
  );
}

/** Extents that a vector input asks for; those not known when the graph is built become fresh symbols. */
export function wantedDimensions(context: InferContext<object>, index: number, what: string): readonly Dimension[] {
  requireDType(context, index, ['int64'], what);
  const length = vectorLength(context, index, what);
  return context.dimensions(index) ?? Array.from({ length }, () => context.unknownDimension(context.op.toLowerCase()));
}

/** Elements of an integer input if they are known when the graph is built. */
export function knownIntegers(
  context: InferContext<object>,
  index: number,
  what: string,
): readonly number[] | undefined {
  requireDType(context, index, ['int64', 'int32'], what);
  const held = context.constant(index);
  const known = held === undefined ? context.dimensions(index) : [...toNumbers(held)];
  return known?.every((extent): extent is number => typeof extent === 'number') ? known : undefined;
}

/** Elements of an optional integer input; throws `unsupported-shape` when they are not known as the graph is built. */
export function requiredIntegers(
  context: InferContext<object>,
  index: number,
  what: string,
): readonly number[] | undefined {
  if (context.inputs[index] === undefined) return undefined;
  const message = `${what} (input ${index}) must be known when the graph is built`;
  return (
    knownIntegers(context, index, what) ??
    context.fail(message, { given: context.dimensions(index) }, 'unsupported-shape')
  );
}

/** Elements of an optional integer input as the graph runs. */
export function integersAt(context: EvaluateContext<object>, index: number): number[] | undefined {
  const held: Tensor | undefined = context.inputs[index];
  return held === undefined ? undefined : [...toNumbers(held)];
}

/** `axis` counted from the front; fails outside `[-rank, rank)`. */
export function checkedAxis(axis: number, rank: number, fail: InferContext<object>['fail'], what = 'axis'): number {
  if (Number.isInteger(axis) && axis >= -rank && axis < rank) return axis < 0 ? axis + rank : axis;
  const allowed = rank === 0 ? 'a scalar has no axes' : `allowed is ${-rank}…${rank - 1}`;
  return fail(`${what} ${axis} is out of range for rank ${rank}; ${allowed}`, { given: axis }, 'invalid-attribute');
}
