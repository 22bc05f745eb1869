import type { Value, ValueType } from '../graph/graph.js';
import type { GraphBuilder } from '../graph/graph-builder.js';
import { dtypeFacts, isFloat } from '../tensor/dtype.js';
import { onnxDataType } from '../tensor/onnx-data-type.js';
import { concreteShape, type Dimension, normalizeAxis, sameShape } from '../tensor/shape.js';
import { fromNumbers, reshapeTensor, type Tensor, toNumbers } from '../tensor/tensor.js';
import { Algebra } from './algebra.js';
import { type ArgAttributes, argMax, argMin } from './arg-extreme.js';
import { cumulativeSum } from './cumulative-sum.js';
import type { DecomposeContext, GradientContext, InferContext, OpDefinition, OpFamily } from './definition.js';
import { extremeInteger, type Reduction, reduceTensor } from './reduction-kernels.js';
import { between, exactly, mapBinary, requireAxis, requireNumeric } from './rules.js';
import { topK } from './top-k.js';

/** Axes are input 1 (an int64 vector); none means all, or nothing with `noop_with_empty_axes`. */
export interface ReduceAttributes {
  keepdims: number;
  noop_with_empty_axes: number;
}

/** Attributes of the reductions, by op. */
export interface ReductionAttributes {
  ReduceSum: ReduceAttributes;
  ReduceMean: ReduceAttributes;
  ReduceMax: ReduceAttributes;
  ReduceMin: ReduceAttributes;
  ReduceProd: ReduceAttributes;
  ReduceL1: ReduceAttributes;
  ReduceL2: ReduceAttributes;
  ReduceLogSum: ReduceAttributes;
  ReduceLogSumExp: ReduceAttributes;
  ReduceSumSquare: ReduceAttributes;
  ArgMax: ArgAttributes;
  ArgMin: ArgAttributes;
  /** Inputs `(x, k)`, outputs `(values, indices)`. */
  TopK: { axis: number; largest: number; sorted: number };
  CumSum: { exclusive: number; reverse: number };
}

/** What a reduction's gradient is written in: everything has the rank of `x` and broadcasts against it. */
interface ReductionSlope {
  readonly f: Algebra;
  readonly x: Value;
  readonly y: Value;
  readonly dy: Value;
  /** How many elements went into each result. */
  readonly count: number;
  /** Sums along the reduced axes, keeping them with extent 1. */
  readonly sum: (value: Value) => Value;
}

interface ReductionRule {
  readonly kernel: (x: Tensor) => Reduction;
  readonly slope: (context: ReductionSlope) => Value;
  readonly decompose?: (context: DecomposeContext<ReduceAttributes>, f: Algebra) => Value;
  /** Where one fold does not do; keeps the reduced axes. */
  readonly evaluate?: (x: Tensor, axes: readonly number[]) => Tensor;
  readonly allowsBool?: true;
}

/** Reductions. */
export const reduction: OpFamily<ReductionAttributes> = {
  // y = Σ x;  dx = dy
  ReduceSum: reducing({ kernel: () => total, slope: ({ dy }) => dy }),
  // y = Σ x / n;  dx = dy/n
  ReduceMean: reducing({
    kernel: () => ({
      float: { ...total.float, finish: (sum, count) => sum / count },
      // Integers truncate; the mean of nothing, undefined, is 0.
      integer: { initial: 0n, step: (sum, x) => sum + x, finish: (sum, n) => (n === 0 ? 0n : sum / BigInt(n)) },
    }),
    slope: ({ f, dy, count }) => f.div(dy, count),
  }),
  // y = max x;  dx = dy/m where x = y, m being how many elements are equal to the maximum (PyTorch's amax)
  ReduceMax: reducing({ kernel: (x) => extreme(x, 1), slope: shareAmongTies, allowsBool: true }),
  ReduceMin: reducing({ kernel: (x) => extreme(x, -1), slope: shareAmongTies, allowsBool: true }),
  ReduceProd: reducing({
    kernel: () => ({
      float: { initial: 1, step: (product, x) => product * x },
      integer: { initial: 1n, step: (product, x) => BigInt.asIntN(64, product * x) },
    }),
    slope: productSlope,
  }),
  // y = Σ |x|;  dx = sign(x)·dy
  ReduceL1: reducing({
    kernel: () => ({
      float: { initial: 0, step: (sum, x) => sum + Math.abs(x) },
      integer: { initial: 0n, step: (sum, x) => sum + (x < 0n ? -x : x) },
    }),
    slope: ({ f, x, dy }) => f.mul(dy, f.builder.op('Sign', [x])),
    decompose: (context, f) => reduceAs(context, 'ReduceSum', f.abs(context.input(0))),
  }),
  // y = √Σx²;  dx = x/y·dy, 0 where y = 0
  ReduceL2: reducing({
    kernel: () => ({ float: { initial: 0, step: (sum, x) => sum + x * x, finish: Math.sqrt } }),
    slope: ({ f, x, y, dy }) => {
      const isZero = f.equal(y, 0);
      return f.mul(x, f.where(isZero, 0, f.div(dy, f.where(isZero, 1, y))));
    },
    decompose: (context, f) => f.sqrt(reduceAs(context, 'ReduceSum', f.square(context.input(0)))),
  }),
  // y = ln Σ x;  dx = dy/Σx
  ReduceLogSum: reducing({
    kernel: () => ({ float: { ...total.float, finish: Math.log } }),
    slope: ({ f, x, dy, sum }) => f.div(dy, sum(x)),
    decompose: (context, f) => f.log(reduceAs(context, 'ReduceSum', context.input(0))),
  }),
  // y = ln Σ eˣ, with the maximum taken out so that nothing overflows;  dx = e^(x − y)·dy
  ReduceLogSumExp: reducing({
    kernel: () => total,
    evaluate: logSumExp,
    slope: ({ f, x, y, dy }) => f.mul(dy, f.exp(f.sub(x, y))),
    decompose: decomposeLogSumExp,
  }),
  // y = Σ x²;  dx = 2·x·dy
  ReduceSumSquare: reducing({
    kernel: () => ({
      float: { initial: 0, step: (sum, x) => sum + x * x },
      integer: { initial: 0n, step: (sum, x) => sum + x * x },
    }),
    slope: ({ f, x, dy }) => f.mul(f.mul(x, 2), dy),
    decompose: (context, f) => reduceAs(context, 'ReduceSum', f.square(context.input(0))),
  }),
  ArgMax: argMax,
  ArgMin: argMin,
  TopK: topK,
  CumSum: cumulativeSum,
};

const total: Reduction = {
  float: { initial: 0, step: (sum, x) => sum + x },
  integer: { initial: 0n, step: (sum, x) => sum + x },
};

function reducing(rule: ReductionRule): OpDefinition<ReduceAttributes> {
  const { decompose } = rule;
  return {
    inputs: between(1, 2),
    outputs: exactly(1),
    attributes: {
      keepdims: { kind: 'int', default: 1 },
      noop_with_empty_axes: { kind: 'int', default: 0 },
    },
    infer: (context) => inferReduction(context, rule.allowsBool === true),
    gradient: (context) => [reductionGradient(context, rule)],
    evaluate: ({ input, inputs, attributes }) => {
      const x = input(0);
      const given = inputs[1] === undefined ? [] : [...toNumbers(inputs[1])];
      const axes = reducedAxes(given, x.rank, attributes);
      const kept = rule.evaluate?.(x, axes) ?? reduceTensor(x, rule.kernel(x), axes);
      if (attributes.keepdims !== 0) return [kept];
      return [
        reshapeTensor(
          kept,
          kept.shape.filter((_, axis) => !axes.includes(axis)),
        ),
      ];
    },
    ...(decompose === undefined
      ? {}
      : {
          decompose: (context: DecomposeContext<ReduceAttributes>) => [
            decompose(context, new Algebra(context.builder)),
          ],
        }),
  };
}

function reducedAxes(given: readonly number[], rank: number, attributes: ReduceAttributes): readonly number[] {
  if (given.length > 0) return given.map((axis) => normalizeAxis(axis, rank));
  return attributes.noop_with_empty_axes === 0 ? Array.from({ length: rank }, (_, axis) => axis) : [];
}

function inferReduction(context: InferContext<ReduceAttributes>, allowsBool: boolean): readonly ValueType[] {
  const { dtype, shape } = context.input(0);
  if (dtype !== 'bool' || !allowsBool) requireNumeric(context, 0);
  const keeps = context.attributes.keepdims !== 0;
  const given = context.inputs[1] === undefined ? [] : context.dimensions(1);
  if (given === undefined || given.some((axis) => typeof axis !== 'number')) {
    const count = context.input(1).shape[0];
    if (!keeps && typeof count !== 'number') {
      return context.fail('axes must be known when the graph is built, or keepdims be 1', {}, 'unsupported-shape');
    }
    const rank = keeps ? shape.length : shape.length - (count as number);
    return [{ dtype, shape: Array.from({ length: rank }, () => context.unknownDimension('reduced')) }];
  }
  for (const axis of given as readonly number[]) requireAxis(context, axis, shape.length);
  const axes = reducedAxes(given as readonly number[], shape.length, context.attributes);
  const result = shape.flatMap((extent, axis): Dimension[] => (axes.includes(axis) ? (keeps ? [1] : []) : [extent]));
  return [{ dtype, shape: result }];
}

function reductionGradient(context: GradientContext<ReduceAttributes>, rule: ReductionRule): Value {
  const { builder, input, inputs, outputs, outputGradient, attributes } = context;
  const x = input(0);
  const shape = concreteShape(x.shape, `'${x.name}'`);
  const axes = reducedAxes(knownAxes(builder, inputs[1]), shape.length, attributes);
  const kept = shape.map((extent, axis) => (axes.includes(axis) ? 1 : extent));
  const expand = (value: Value): Value =>
    attributes.keepdims !== 0 ? value : builder.op('Reshape', [value, builder.integers(kept)]);
  const slope = rule.slope({
    f: new Algebra(builder),
    x,
    y: expand(outputs[0] as Value),
    dy: expand(outputGradient),
    count: axes.reduce((product, axis) => product * (shape[axis] as number), 1),
    sum: (value) => sumAlong(builder, value, axes),
  });
  return sameShape(slope.shape, shape) ? slope : builder.op('Expand', [slope, builder.integers(shape)]);
}

function knownAxes(builder: GraphBuilder, axes: Value | undefined): readonly number[] {
  return axes === undefined ? [] : ((builder.known.of(axes) ?? []) as readonly number[]);
}

function sumAlong(builder: GraphBuilder, value: Value, axes: readonly number[]): Value {
  return axes.length === 0 ? value : builder.op('ReduceSum', [value, builder.integers(axes)], { keepdims: 1 });
}

function shareAmongTies({ f, x, y, dy, sum }: ReductionSlope): Value {
  const hits = f.builder.op('Cast', [f.equal(x, y)], { to: onnxDataType(x.dtype) });
  return f.mul(hits, f.div(dy, sum(hits)));
}

// dx_i = dy·Π_{j≠i} x_j. Only elements that are not 0 divide: with one zero among them only that one has a slope, with
// more none has. p is the product of the elements that are not 0.
function productSlope({ f, x, y, dy, sum }: ReductionSlope): Value {
  const isZero = f.equal(x, 0);
  const zeros = sum(f.builder.op('Cast', [isZero], { to: onnxDataType(x.dtype) }));
  const safe = f.where(isZero, 1, x);
  const p = productLike(f, safe, y);
  const others = f.where(isZero, p, f.div(f.where(f.equal(zeros, 0), p, 0), safe));
  const isLone = f.less(zeros, 1.5);
  return f.mul(dy, f.where(isLone, others, 0));
}

function productLike(f: Algebra, x: Value, y: Value): Value {
  const axes = x.shape.flatMap((extent, axis) => (y.shape[axis] === extent ? [] : [axis]));
  return axes.length === 0 ? x : f.builder.op('ReduceProd', [x, f.builder.integers(axes)], { keepdims: 1 });
}

function extreme(x: Tensor, sign: 1 | -1): Reduction {
  const { kind } = dtypeFacts[x.dtype];
  const step = sign > 0 ? Math.max : Math.min;
  if (isFloat(x.dtype) || kind === 'bool') {
    // Of no bools the maximum is false and the minimum true.
    const initial = kind === 'bool' ? (sign > 0 ? 0 : 1) : -sign * Number.POSITIVE_INFINITY;
    return { float: { initial, step: (best, next) => step(best, next) } };
  }
  return {
    float: { initial: 0, step: (best, next) => step(best, next) },
    integer: {
      initial: extremeInteger(x.dtype, sign > 0 ? -1 : 1),
      step: (best, next) => (next > best === sign > 0 ? next : best),
    },
  };
}

function logSumExp(x: Tensor, axes: readonly number[]): Tensor {
  const peak = reduceTensor(x, extreme(x, 1), axes);
  // An infinite maximum would turn into NaN when taken from itself.
  const shift = fromNumbers(
    x.dtype,
    peak.shape,
    toNumbers(peak).map((value) => (Number.isFinite(value) ? value : 0)),
  );
  const exponentials = mapBinary(x, shift, (value, by) => Math.exp(value - by));
  return mapBinary(reduceTensor(exponentials, total, axes), shift, (sum, by) => Math.log(sum) + by);
}

function decomposeLogSumExp(context: DecomposeContext<ReduceAttributes>, f: Algebra): Value {
  const { builder, inputs } = context;
  const x = context.input(0);
  const limit = x.dtype === 'float16' ? 65504 : 3.4e38;
  const bounded = (peak: Value): Value => f.max(f.min(peak, limit), -limit);
  const shift = bounded(builder.op('ReduceMax', [x, inputs[1]], { ...context.attributes, keepdims: 1 }));
  const sum = reduceAs(context, 'ReduceSum', f.exp(f.sub(x, shift)));
  return f.add(f.log(sum), bounded(reduceAs(context, 'ReduceMax', x)));
}

function reduceAs(context: DecomposeContext<ReduceAttributes>, op: 'ReduceSum' | 'ReduceMax', x: Value): Value {
  return context.builder.op(op, [x, context.inputs[1]], context.attributes);
}
