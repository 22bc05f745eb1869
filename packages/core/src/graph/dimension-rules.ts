import { type DType, isFloat } from '../tensor/dtype.js';
import { dtypeOfOnnx } from '../tensor/onnx-data-type.js';
import { addDimensions, type Dimension, floorDivideDimensions, multiplyDimensions } from '../tensor/shape.js';
import { Tensor, toNumbers } from '../tensor/tensor.js';
import type { Node } from './graph.js';

/** Elements of a scalar or vector: numbers, or expressions over symbols. */
export type Known = readonly Dimension[];

/** What a rule sees. */
export interface RuleContext {
  readonly node: Node;
  readonly known: (index: number) => Known | undefined;
  /** A symbol for an element that only the run can tell. */
  readonly fresh: () => Dimension;
}

type Combine = (a: Dimension, b: Dimension) => Dimension | undefined;
type Rule = (context: RuleContext) => Known | undefined;

/** The outputs of a node as far as they are known; undefined entries are not. */
export function knownOutputs(context: RuleContext): readonly (Known | undefined)[] {
  if (context.node.op === 'Split') return splitParts(context);
  return [rules[context.node.op]?.(context)];
}

const same: Rule = ({ known }) => known(0);

const rules: { readonly [op: string]: Rule | undefined } = {
  Shape: ({ node }) => {
    const shape = node.inputs[0]?.shape;
    const { start = 0, end = shape?.length } = node.attributes as { start?: number; end?: number };
    return shape?.slice(start, end);
  },
  Size: ({ node }) => [(node.inputs[0]?.shape ?? []).reduce<Dimension>(multiplyDimensions, 1)],
  Constant: ({ node }) => {
    const { value } = node.attributes;
    return value instanceof Tensor && value.dtype !== 'string' && value.elementCount <= 64
      ? [...toNumbers(value)]
      : undefined;
  },
  ConstantOfShape: ({ node, known }) => {
    const shape = known(0);
    const count = shape?.[0] ?? 1;
    const { value } = node.attributes;
    if (shape === undefined || typeof count !== 'number' || count > 64) return undefined;
    const element = value instanceof Tensor ? (toNumbers(value)[0] as number) : 0;
    return new Array<Dimension>(count).fill(element);
  },
  Identity: same,
  Squeeze: same,
  Unsqueeze: same,
  Reshape: same,
  Flatten: same,
  Cast: ({ node, known }) => cast(known(0), dtypeOfOnnx(node.attributes['to'] as number)),
  CastLike: ({ node, known }) => cast(known(0), node.outputs[0]?.dtype ?? 'int64'),
  Concat: concat,
  Gather: gather,
  Slice: slice,
  Expand: ({ known }) => {
    const [data, shape] = [known(0), known(1)];
    const count = shape?.[0] ?? 1;
    if (data === undefined || shape === undefined || typeof count !== 'number' || count > 64) return undefined;
    return data.length === 1 ? new Array<Dimension>(count).fill(data[0] as Dimension) : data;
  },
  Range: ({ known }) => {
    const [start, limit, delta] = [0, 1, 2].map((index) => known(index)?.[0]);
    if (typeof start !== 'number' || typeof limit !== 'number' || typeof delta !== 'number') return undefined;
    const count = Math.max(0, Math.ceil((limit - start) / delta));
    return count <= 64 ? Array.from({ length: count }, (_, index) => start + index * delta) : undefined;
  },
  Where: where,
  Neg: elementwise((a) => negate(a)),
  Abs: elementwise((a) => (typeof a === 'number' ? Math.abs(a) : isExtent(a) ? a : undefined)),
  Floor: elementwise((a) => (typeof a === 'number' ? Math.floor(a) : a)),
  Ceil: elementwise((a) => (typeof a === 'number' ? Math.ceil(a) : a)),
  Round: elementwise((a) => (typeof a === 'number' ? undefined : a)),
  Not: elementwise((a) => (typeof a === 'number' ? Number(a === 0) : undefined)),
  Add: combined(addDimensions),
  Sub: combined((a, b) => (a === b ? 0 : typeof b === 'number' ? addDimensions(a, -b) : undefined)),
  Mul: combined(multiplyDimensions),
  Div: combined(divide),
  Mod: combined((a, b) => (typeof a === 'number' && typeof b === 'number' && b !== 0 ? modulo(a, b) : undefined)),
  Min: folded((a, b) => (a === b ? a : numbers(Math.min)(a, b))),
  Max: folded((a, b) => (a === b ? a : (numbers(Math.max)(a, b) ?? largerExtent(a, b)))),
  Equal: combined(equal),
  Greater: combined(numbers((a, b) => Number(a > b))),
  GreaterOrEqual: combined(numbers((a, b) => Number(a >= b))),
  Less: combined(numbers((a, b) => Number(a < b))),
  LessOrEqual: combined(numbers((a, b) => Number(a <= b))),
  And: combined(numbers((a, b) => Number(a !== 0 && b !== 0))),
  Or: combined(numbers((a, b) => Number(a !== 0 || b !== 0))),
  ReduceProd: reduced(multiplyDimensions, 1),
  ReduceSum: reduced(addDimensions, 0),
  ReduceMax: reduced(
    (a, b) => (a === Number.NEGATIVE_INFINITY ? b : numbers(Math.max)(a, b)),
    Number.NEGATIVE_INFINITY,
  ),
  ReduceMin: reduced(
    (a, b) => (a === Number.POSITIVE_INFINITY ? b : numbers(Math.min)(a, b)),
    Number.POSITIVE_INFINITY,
  ),
};

function cast(known: Known | undefined, dtype: DType): Known | undefined {
  if (dtype === 'string') return undefined;
  if (isFloat(dtype)) return known;
  return known?.map((element) => {
    if (typeof element === 'string') return element;
    return dtype === 'bool' ? Number(element !== 0) : Math.trunc(element);
  });
}

function negate(a: Dimension): Dimension | undefined {
  return typeof a === 'number' ? -a : undefined;
}

/** Whether a symbol stands for the extent of an axis, which is never negative, and not for any number. */
function isExtent(a: Dimension): boolean {
  return typeof a === 'string' && !a.includes('?value');
}

function numbers(apply: (a: number, b: number) => number): Combine {
  return (a, b) => (typeof a === 'number' && typeof b === 'number' ? apply(a, b) : undefined);
}

// `Max(extent, 0)` is the extent.
function largerExtent(a: Dimension, b: Dimension): Dimension | undefined {
  if (typeof a === 'number') return typeof b === 'number' ? Math.max(a, b) : largerExtent(b, a);
  return typeof b === 'number' && b <= 0 && isExtent(a) ? a : undefined;
}

function equal(a: Dimension, b: Dimension): Dimension | undefined {
  if (a === b) return 1;
  if (typeof a === 'number') return typeof b === 'number' ? 0 : equal(b, a);
  return typeof b === 'number' && b < 0 && isExtent(a) ? 0 : undefined;
}

function modulo(a: number, b: number): number {
  return ((a % b) + b) % b;
}

// Integers divide toward zero; extents are not negative, so for them that is the floor.
function divide(a: Dimension, b: Dimension): Dimension | undefined {
  if (b === 0) return undefined;
  if (typeof a === 'number' && typeof b === 'number') return Math.trunc(a / b);
  return floorDivideDimensions(a, b);
}

/** A rule for one operand; unknown results become fresh symbols. */
function elementwise(apply: (a: Dimension) => Dimension | undefined): Rule {
  return ({ known, fresh }) => known(0)?.map((element) => apply(element) ?? fresh());
}

/** A rule for two operands that broadcast. */
function combined(apply: Combine): Rule {
  return (context) => broadcast(context, context.known(0), context.known(1), apply);
}

function broadcast(
  { node, fresh }: RuleContext,
  left: Known | undefined,
  right: Known | undefined,
  apply: Combine,
): Known | undefined {
  if (left === undefined || right === undefined) return undefined;
  const fractional = isFloat(node.inputs[0]?.dtype ?? 'int64');
  const rule = fractional ? onFloats(node.op, apply) : apply;
  const length = left.length === 1 ? right.length : left.length;
  return Array.from(
    { length },
    (_, index) => rule(left[left.length === 1 ? 0 : index] ?? 0, right[right.length === 1 ? 0 : index] ?? 0) ?? fresh(),
  );
}

/** The rule for float operands: division is exact, and symbols stay with whole numbers only. */
function onFloats(op: string, apply: Combine): Combine {
  return (a, b) => {
    if (typeof a === 'number' && typeof b === 'number') return op === 'Div' ? a / b : apply(a, b);
    if ([a, b].some((element) => typeof element === 'number' && !Number.isInteger(element))) return undefined;
    const result = apply(a, b);
    return op === 'Div' && String(result).includes('floor') ? undefined : result;
  };
}

/** A rule for any number of operands. */
function folded(apply: Combine): Rule {
  return (context) => {
    const operands = context.node.inputs.map((_, index) => context.known(index));
    return operands.reduce((left, right) => broadcast(context, left, right, apply));
  };
}

/** A rule that reduces a whole vector. */
function reduced(apply: Combine, start: number): Rule {
  return ({ node, known, fresh }) => {
    const data = known(0);
    const { noop_with_empty_axes: noop } = node.attributes;
    if (data === undefined || (node.inputs[0]?.shape.length ?? 0) === 0) return data;
    if (noop === 1 && (known(1)?.length ?? 0) === 0) return data;
    return [
      data.reduce<Dimension | undefined>((a, b) => (a === undefined ? undefined : apply(a, b)), start) ?? fresh(),
    ];
  };
}

function concat({ node, known, fresh }: RuleContext): Known | undefined {
  const parts = node.inputs.map((input, index) => {
    const part = known(index);
    const length = input?.shape[0];
    if (part !== undefined || typeof length !== 'number' || length > 64) return part;
    return Array.from({ length }, fresh);
  });
  // With nothing known there is nothing to follow.
  if (node.inputs.every((_, index) => known(index) === undefined)) return undefined;
  return parts.some((part) => part === undefined) ? undefined : parts.flatMap((part) => part ?? []);
}

function gather({ known, fresh }: RuleContext): Known | undefined {
  const [data, indices] = [known(0), known(1)];
  if (data === undefined || indices === undefined) return undefined;
  return indices.map((index) => (typeof index === 'number' ? data.at(index) : undefined) ?? fresh());
}

function slice({ node, known }: RuleContext): Known | undefined {
  const data = known(0);
  const [start, end] = [known(1)?.[0], known(2)?.[0]];
  const step = node.inputs[4] === undefined ? 1 : known(4)?.[0];
  if (data === undefined || typeof start !== 'number' || typeof end !== 'number' || typeof step !== 'number') {
    return undefined;
  }
  if (step > 0) return data.slice(start, end).filter((_, index) => index % step === 0);
  const count = data.length;
  const clamp = (bound: number): number => Math.max(-1, Math.min(count - 1, bound < 0 ? bound + count : bound));
  const taken: Dimension[] = [];
  for (let at = clamp(start); step < 0 && at > clamp(end); at += step) taken.push(data[at] as Dimension);
  return taken;
}

function where(context: RuleContext): Known | undefined {
  const [condition, yes, no] = [0, 1, 2].map((index) => context.known(index));
  if (yes === undefined || no === undefined) return undefined;
  const length = Math.max(condition?.length ?? 1, yes.length, no.length);
  const at = (known: Known, index: number): Dimension => known[known.length === 1 ? 0 : index] ?? 0;
  return Array.from({ length }, (_, index) => {
    const [a, b] = [at(yes, index), at(no, index)];
    const holds = condition === undefined ? undefined : at(condition, index);
    if (typeof holds === 'number') return holds === 0 ? b : a;
    return a === b ? a : context.fresh();
  });
}

function splitParts({ node, known }: RuleContext): readonly (Known | undefined)[] {
  const data = known(0);
  let start = 0;
  return node.outputs.map(({ shape }) => {
    const extent = shape[0];
    if (data === undefined || typeof extent !== 'number') return undefined;
    start += extent;
    return data.slice(start - extent, start);
  });
}
