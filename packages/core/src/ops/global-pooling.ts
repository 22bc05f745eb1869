import type { Value, ValueType } from '../graph/graph.js';
import { concreteShape, formatShape } from '../tensor/shape.js';
import { elementCountOf, fromNumbers, type Tensor, toNumbers } from '../tensor/tensor.js';
import type { DecomposeContext, EvaluateContext, GradientContext, InferContext, OpFamily } from './definition.js';
import type { PoolingAttributes } from './pooling.js';
import { exactly, requireFloat } from './rules.js';

function inferGlobalPool(context: InferContext<object>): readonly ValueType[] {
  requireFloat(context, 0);
  const { dtype, shape } = context.input(0);
  if (shape.length < 3)
    context.fail(`input ${formatShape(shape)} must be [batch, channels, …spatial]`, { given: shape });
  return [{ dtype, shape: shape.map((extent, axis) => (axis < 2 ? extent : 1)) }];
}

// Folds each plane into one number.
function evaluateGlobalPool(
  context: EvaluateContext<object>,
  fold: (values: Float64Array, begin: number, end: number) => number,
): readonly Tensor[] {
  const x = context.input(0);
  const values = toNumbers(x);
  const planes = elementCountOf(x.shape.slice(0, 2));
  const span = elementCountOf(x.shape.slice(2));
  const y = Float64Array.from({ length: planes }, (_, plane) => fold(values, plane * span, (plane + 1) * span));
  return [
    fromNumbers(
      x.dtype,
      x.shape.map((extent, axis) => (axis < 2 ? extent : 1)),
      y,
    ),
  ];
}

function sumOf(values: Float64Array, begin: number, end: number, apply: (x: number) => number): number {
  let sum = 0;
  for (let at = begin; at < end; at++) sum += apply(values[at] as number);
  return sum;
}

const spatialAxesOf = (value: Value): number[] => value.shape.slice(2).map((_, axis) => axis + 2);

// dx = dy / count in every place of the plane
function globalAverageGradient({ builder, input, outputGradient: dy }: GradientContext<object>): readonly Value[] {
  const shape = concreteShape(input(0).shape, 'the input of GlobalAveragePool');
  const share = builder.scalar(1 / elementCountOf(shape.slice(2)), dy.dtype);
  return [builder.op('Expand', [builder.op('Mul', [dy, share]), builder.integers(shape)])];
}

function globalMaxGradient(context: GradientContext<object>): readonly Value[] {
  const { builder, input, outputs, outputGradient: dy } = context;
  const shape = concreteShape(input(0).shape, 'the input of GlobalMaxPool');
  return [builder.op('MaxPoolGradient', [input(0), outputs[0], dy], { kernel_shape: shape.slice(2) })];
}

/** `sign(x)·|x|^(p−1)`: the gradient of `|x|^p / p`. */
export function signedPower(builder: GradientContext<object>['builder'], x: Value, p: number): Value {
  if (p === 2) return x;
  const sign = builder.op('Sign', [x]);
  if (p === 1) return sign;
  const power = builder.op('Pow', [builder.op('Abs', [x]), builder.scalar(p - 1, x.dtype)]);
  return builder.op('Mul', [sign, power]);
}

/** `dy·y^(1−p)`, 0 where `y` is 0. */
export function rootGradient(builder: GradientContext<object>['builder'], y: Value, dy: Value, p: number): Value {
  if (p === 1) return dy;
  const zero = builder.scalar(0, y.dtype);
  const isZero = builder.op('Equal', [y, zero]);
  const safe = builder.op('Where', [isZero, builder.scalar(1, y.dtype), y]);
  const power = p === 2 ? safe : builder.op('Pow', [safe, builder.scalar(p - 1, y.dtype)]);
  return builder.op('Where', [isZero, zero, builder.op('Div', [dy, power])]);
}

// dx = sign(x)·|x|^(p−1) · dy·y^(1−p)
function globalLpGradient(context: GradientContext<{ p: number }>): readonly Value[] {
  const { builder, input, outputs, outputGradient: dy, attributes } = context;
  const share = rootGradient(builder, outputs[0] as Value, dy, attributes.p);
  return [builder.op('Mul', [signedPower(builder, input(0), attributes.p), share])];
}

function decomposeGlobalLp({ builder, input, attributes: { p } }: DecomposeContext<{ p: number }>): readonly Value[] {
  const x = input(0);
  const powers = builder.op('Pow', [builder.op('Abs', [x]), builder.scalar(p, x.dtype)]);
  const sum = builder.op('ReduceSum', [powers, builder.integers(spatialAxesOf(x))], { keepdims: 1 });
  return [builder.op('Pow', [sum, builder.scalar(1 / p, x.dtype)])];
}

const common = { inputs: exactly(1), outputs: exactly(1), infer: inferGlobalPool } as const;

/** Pooling over all spatial axes. */
export const globalPooling: Pick<
  OpFamily<PoolingAttributes>,
  'GlobalAveragePool' | 'GlobalMaxPool' | 'GlobalLpPool'
> = {
  GlobalAveragePool: {
    ...common,
    attributes: {},
    gradient: globalAverageGradient,
    evaluate: (context) =>
      evaluateGlobalPool(context, (x, begin, end) => sumOf(x, begin, end, (each) => each) / (end - begin)),
    decompose: ({ builder, input }) => [
      builder.op('ReduceMean', [input(0), builder.integers(spatialAxesOf(input(0)))], { keepdims: 1 }),
    ],
  },
  GlobalMaxPool: {
    ...common,
    attributes: {},
    gradient: globalMaxGradient,
    evaluate: (context) =>
      evaluateGlobalPool(context, (x, begin, end) => {
        let best = Number.NEGATIVE_INFINITY;
        for (let at = begin; at < end; at++) best = Math.max(best, x[at] as number);
        return best;
      }),
    decompose: ({ builder, input }) => [
      builder.op('ReduceMax', [input(0), builder.integers(spatialAxesOf(input(0)))], { keepdims: 1 }),
    ],
  },
  /** `(Σ|x|^p)^(1/p)` */
  GlobalLpPool: {
    ...common,
    attributes: { p: { kind: 'int', default: 2 } },
    gradient: globalLpGradient,
    evaluate: (context) => {
      const { p } = context.attributes;
      return evaluateGlobalPool(
        context,
        (x, begin, end) => sumOf(x, begin, end, (each) => Math.abs(each) ** p) ** (1 / p),
      );
    },
    decompose: decomposeGlobalLp,
  },
};
