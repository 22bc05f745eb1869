import { modelwrightDomain, type Value, type ValueType } from '../graph/graph.js';
import type { GraphBuilder } from '../graph/graph-builder.js';
import { reshapeTo } from '../graph/shape-ops.js';
import { isFloat } from '../tensor/dtype.js';
import { compatibleDimension, type Dimension, formatShape } from '../tensor/shape.js';
import { fromNumbers, type Tensor, toNumbers } from '../tensor/tensor.js';
import { Algebra } from './algebra.js';
import type { DecomposeContext, EvaluateContext, GradientContext, InferContext, OpDefinition } from './definition.js';
import { roundHalfToEven, scaleIndex } from './quantization-kernel.js';
import { between, exactly } from './rules.js';
import { checkedAxis } from './shape-inputs.js';

/** Attributes of `FakeQuantize`. */
export interface FakeQuantizeAttributes {
  /** Axis of `x` that several scales run along. */
  readonly axis: number;
  /** Smallest integer. */
  readonly low: number;
  /** Largest integer. */
  readonly high: number;
}

function inferFakeQuantize(context: InferContext<FakeQuantizeAttributes>): readonly ValueType[] {
  const [x, scale, zeroPoint] = [context.input(0), context.input(1), context.inputs[2]];
  if (!isFloat(x.dtype)) context.fail(`x is ${x.dtype}; a float is needed`, { given: x.dtype }, 'dtype-mismatch');
  for (const [what, value] of [['scale', scale] as const, ['zero point', zeroPoint] as const]) {
    if (value === undefined) continue;
    if (value.dtype !== x.dtype) {
      context.fail(`${what} is ${value.dtype}, x is ${x.dtype}`, { given: value.dtype }, 'dtype-mismatch');
    }
    checkScale(context, what, value.shape);
  }
  const { low, high } = context.attributes;
  if (low >= high) context.fail(`low is ${low}, high is ${high}; low must be less`, {}, 'invalid-attribute');
  return [{ dtype: x.dtype, shape: x.shape }];
}

// One for all, or one for each place of the axis.
function checkScale(context: InferContext<FakeQuantizeAttributes>, what: string, shape: readonly Dimension[]): void {
  if (isSingle(shape)) return;
  const x = context.input(0).shape;
  const axis = checkedAxis(context.attributes.axis, x.length, context.fail);
  if (shape.length === 1 && compatibleDimension(shape[0] as Dimension, x[axis] as Dimension)) return;
  context.fail(`${what} ${formatShape(shape)} does not fit axis ${axis} of ${formatShape(x)}`, { given: shape });
}

function isSingle(shape: readonly Dimension[]): boolean {
  return shape.length === 0 || (shape.length === 1 && shape[0] === 1);
}

// y = (clip(round(x/s) + z) − z)·s
function evaluateFakeQuantize(context: EvaluateContext<FakeQuantizeAttributes>): readonly Tensor[] {
  const { axis, low, high } = context.attributes;
  const [x, scale, zeroPoint] = [context.input(0), context.input(1), context.inputs[2]];
  const scales = toNumbers(scale);
  const zeroPoints = zeroPoint === undefined ? [0] : toNumbers(zeroPoint);
  const place = (shape: readonly number[]): ((at: number) => number) =>
    scaleIndex({
      ...{ shape: x.shape, scaleShape: shape, blockSize: 0 },
      axis: isSingle(shape) ? 0 : checkedAxis(axis, x.rank, context.fail),
    });
  const [scaleAt, zeroAt] = [place(scale.shape), place(zeroPoint?.shape ?? [])];
  const y = toNumbers(x).map((value, at) => {
    const [s, z] = [scales[scaleAt(at)] as number, zeroPoints[zeroAt(at)] as number];
    return (Math.max(low, Math.min(high, roundHalfToEven(value / s) + z)) - z) * s;
  });
  return [fromNumbers(x.dtype, x.shape, y)];
}

interface Rounded {
  readonly scale: Value;
  /** x/s */
  readonly quotient: Value;
  /** round(x/s) */
  readonly rounded: Value;
  /** round(x/s) held to low − z and high − z */
  readonly clipped: Value;
}

function rounded(
  builder: GraphBuilder,
  { axis, low, high }: FakeQuantizeAttributes,
  [x, scale, zeroPoint]: readonly [Value, Value, Value | undefined],
): Rounded {
  const f = new Algebra(builder);
  const along = (value: Value): Value => alongAxis(builder, value, { axis, rank: x.shape.length });
  const divisor = along(scale);
  const quotient = builder.op('Div', [x, divisor]);
  const integers = builder.op('Round', [quotient]);
  const bound = (limit: number): Value =>
    zeroPoint === undefined ? builder.scalar(limit, x.dtype) : f.sub(builder.scalar(limit, x.dtype), along(zeroPoint));
  const [least, most] = [bound(low), bound(high)];
  const isScalar = least.shape.length === 0;
  const clipped = isScalar
    ? builder.op('Clip', [integers, least, most])
    : builder.op('Min', [builder.op('Max', [integers, least]), most]);
  return { scale: divisor, quotient, rounded: integers, clipped };
}

// As it broadcasts against x: a scalar, or [c, 1, …].
function alongAxis(builder: GraphBuilder, value: Value, { axis, rank }: { axis: number; rank: number }): Value {
  if (value.shape.length === 0) return value;
  if (isSingle(value.shape)) return reshapeTo(builder, value, []);
  const behind = rank - 1 - (axis < 0 ? axis + rank : axis);
  return behind === 0 ? value : builder.op('Reshape', [value, builder.integers([-1, ...new Array(behind).fill(1)])]);
}

/*
 * Straight through: where round(x/s) + z lies within [low, high], rounding counts as the identity.
 *   dx = dy inside, 0 outside
 *   ds = Σ dy·(round(x/s) − x/s) inside, dy·(low − z) or dy·(high − z) outside
 *   dz = Σ −s·dy outside, 0 inside
 */
function fakeQuantizeGradient(context: GradientContext<FakeQuantizeAttributes>): readonly (Value | undefined)[] {
  const { builder, input, inputs, needs, attributes, outputGradient: dy } = context;
  const parts = rounded(builder, attributes, [input(0), input(1), inputs[2]]);
  const zero = builder.scalar(0, dy.dtype);
  const isInside = builder.op('Equal', [parts.rounded, parts.clipped]);
  const summed = (value: Value, index: number): Value => sumAlongAxis(builder, value, input(index), attributes.axis);
  const dscale = (): Value => {
    const passed = builder.op('Where', [isInside, parts.quotient, zero]);
    return summed(builder.op('Mul', [dy, builder.op('Sub', [parts.clipped, passed])]), 1);
  };
  const dzero = (): Value => {
    const outside = builder.op('Where', [isInside, zero, builder.op('Neg', [dy])]);
    return summed(builder.op('Mul', [outside, parts.scale]), 2);
  };
  return [
    needs(0) ? builder.op('Where', [isInside, dy, zero]) : undefined,
    needs(1) ? dscale() : undefined,
    inputs[2] !== undefined && needs(2) ? dzero() : undefined,
  ];
}

// The caller sums what belongs to a single number.
function sumAlongAxis(builder: GraphBuilder, value: Value, target: Value, axis: number): Value {
  const rank = value.shape.length;
  if (isSingle(target.shape) || rank === 1) return value;
  const kept = axis < 0 ? axis + rank : axis;
  const others = Array.from({ length: rank }, (_, each) => each).filter((each) => each !== kept);
  return builder.op('ReduceSum', [value, builder.integers(others)], { keepdims: 0 });
}

function decomposeFakeQuantize(context: DecomposeContext<FakeQuantizeAttributes>): readonly Value[] {
  const { builder, input, inputs, attributes } = context;
  const { clipped, scale } = rounded(builder, attributes, [input(0), input(1), inputs[2]]);
  return [builder.op('Mul', [clipped, scale])];
}

/**
 * `(x, scale, zero_point?)` → what becomes of `x` when it is quantized and dequantized:
 *
 * `y = (clip(round(x / scale) + zero_point, low, high) − zero_point)·scale`, halves to even.
 *
 * Scale and zero point have the dtype of `x` and are one for all or one for each place of `axis`; left out, the zero point is 0.
 * Gradients go straight through the rounding; those of the scale are what learned step sizes are trained by.
 *
 * @see Esser et al., Learned Step Size Quantization, arXiv:1902.08153, §2; Bhalgat et al., LSQ+, arXiv:2004.09576, §3.
 */
export const fakeQuantize: OpDefinition<FakeQuantizeAttributes> = {
  domain: modelwrightDomain,
  inputs: between(2, 3),
  outputs: exactly(1),
  attributes: {
    axis: { kind: 'int', default: 1 },
    low: { kind: 'int', default: 0 },
    high: { kind: 'int', default: 255 },
  },
  infer: inferFakeQuantize,
  gradient: fakeQuantizeGradient,
  evaluate: evaluateFakeQuantize,
  decompose: decomposeFakeQuantize,
};
