import type { Value, ValueType } from '../graph/graph.js';
import { modelwrightDomain } from '../graph/graph.js';
import { compatibleShape, concreteShape, formatShape } from '../tensor/shape.js';
import { elementCountOf, fromNumbers, fullTensor, type Tensor, toNumbers, zeros } from '../tensor/tensor.js';
import type { DecomposeContext, EvaluateContext, GradientContext, InferContext, OpFamily } from './definition.js';
import { poolAttributes } from './pool-attributes.js';
import type { PoolAttributes } from './pooling.js';
import { argMaxOfWindows, divisorsOf, forEachPoolingPair, type Pooling, poolingOf } from './pooling-kernel.js';
import { exactly, requireFloat } from './rules.js';
import { explicitAttributes, transposedEnds } from './window.js';

type AverageAttributes = PoolAttributes & { count_include_pad: number; input_shape: readonly number[] };

/** Attributes of the gradients of pooling ops (own domain), by op. */
export interface PoolingGradientAttributes {
  /** `(x, y, dy)` → gradient of `MaxPool`'s input; of equal maxima in a window the first in row-major order takes all. */
  MaxPoolGradient: PoolAttributes;
  /** `(dy)` → gradient of `AveragePool`'s input of shape `input_shape`. */
  AveragePoolGradient: AverageAttributes;
}

function checkPooled(context: InferContext<PoolAttributes>, input: readonly number[], dy: Value): void {
  const { small } = poolingOf(input, context.attributes, context.fail);
  const expected = [...input.slice(0, 2), ...small];
  if (!compatibleShape(dy.shape, expected)) {
    context.fail(`the gradient has shape ${formatShape(dy.shape)}, the pooled input ${formatShape(expected)}`, {
      given: dy.shape,
      allowed: expected,
    });
  }
}

function inferMaxPoolGradient(context: InferContext<PoolAttributes>): readonly ValueType[] {
  requireFloat(context, 0);
  const { dtype, shape } = context.input(0);
  checkPooled(context, concreteShape(shape, 'the pooled input'), context.input(2));
  return [{ dtype, shape }];
}

function evaluateMaxPoolGradient(context: EvaluateContext<PoolAttributes>): readonly Tensor[] {
  const x = context.input(0);
  const dy = toNumbers(context.input(2));
  const best = argMaxOfWindows(poolingOf(x.shape, context.attributes), toNumbers(x));
  const dx = new Float64Array(x.elementCount);
  best.forEach((at, index) => {
    dx[at] = (dx[at] as number) + (dy[index] as number);
  });
  return [fromNumbers(x.dtype, x.shape, dx)];
}

/** Flat positions of the maxima in the input, by the standard op. */
function indicesOf({
  builder,
  input,
  attributes,
}: DecomposeContext<PoolAttributes> | GradientContext<PoolAttributes>): Value {
  return builder.node('MaxPool', [input(0)], attributes, { outputs: 2 })[1] as Value;
}

// dx = 0; dx[argmax of window i] += dy[i]
function decomposeMaxPoolGradient(context: DecomposeContext<PoolAttributes>): readonly Value[] {
  const { builder, input } = context;
  const shape = concreteShape(input(0).shape, 'the pooled input');
  const flat = builder.integers([-1]);
  const { dtype } = input(0);
  const nothing = builder.constant(zeros(dtype, [elementCountOf(shape)]), { name: 'zeros' });
  const indices = builder.op('Reshape', [indicesOf(context), flat]);
  const updates = builder.op('Reshape', [input(2), flat]);
  const sums = builder.op('ScatterElements', [nothing, indices, updates], { axis: 0, reduction: 'add' });
  return [builder.op('Reshape', [sums, builder.integers(shape)])];
}

// Linear in dy: d(dy)[i] = g[argmax of window i].
function maxPoolGradientGradient(context: GradientContext<PoolAttributes>): readonly (Value | undefined)[] {
  const { builder, input, outputGradient: g } = context;
  const flat = (value: Value): Value => builder.op('Reshape', [value, builder.integers([-1])]);
  const picked = builder.op('Gather', [flat(g), flat(indicesOf(context))], { axis: 0 });
  return [undefined, undefined, builder.op('Reshape', [picked, builder.integers(concreteShape(input(2).shape, 'dy'))])];
}

function inferAveragePoolGradient(context: InferContext<AverageAttributes>): readonly ValueType[] {
  requireFloat(context, 0);
  const shape = context.attributes.input_shape;
  checkPooled(context, shape, context.input(0));
  return [{ dtype: context.input(0).dtype, shape }];
}

function evaluateAveragePoolGradient(context: EvaluateContext<AverageAttributes>): readonly Tensor[] {
  const { attributes } = context;
  const dy = toNumbers(context.input(0));
  const pooling = poolingOf(attributes.input_shape, attributes);
  const divisors = divisorsOf(pooling, attributes.count_include_pad !== 0);
  const shares = dy.map((each, at) => each / (divisors[at % divisors.length] as number));
  const dx = new Float64Array(elementCountOf(attributes.input_shape));
  forEachPoolingPair(pooling, (largeAt, smallAt) => {
    dx[largeAt] = (dx[largeAt] as number) + (shares[smallAt] as number);
  });
  return [fromNumbers(context.input(0).dtype, attributes.input_shape, dx)];
}

// dx = dy/count spread by a transposed convolution of ones, one plane at a time
function decomposeAveragePoolGradient(context: DecomposeContext<AverageAttributes>): readonly Value[] {
  const { builder, input, attributes } = context;
  const dy = input(0);
  const shape = attributes.input_shape;
  const pooling = poolingOf(shape, attributes);
  const planes = builder.op('Reshape', [dy, builder.integers([pooling.planes, 1, ...pooling.small])]);
  const shares = builder.op('Mul', [planes, sharesOf(context, pooling)]);
  const { window } = pooling;
  const { ends, extra } = transposedEnds(pooling.large, pooling.small, window);
  const ones = builder.constant(fullTensor(dy.dtype, [1, 1, ...window.kernel], 1), { name: 'ones' });
  const dx = builder.op('ConvTranspose', [shares, ones], {
    ...explicitAttributes({ ...window, pads: [...window.pads.slice(0, ends.length), ...ends] }),
    output_padding: extra,
  });
  return [builder.op('Reshape', [dx, builder.integers(shape)])];
}

// 1 / count: one number where all windows cover the same.
function sharesOf({ builder, input, attributes }: DecomposeContext<AverageAttributes>, pooling: Pooling): Value {
  const shares = divisorsOf(pooling, attributes.count_include_pad !== 0).map((count) => 1 / count);
  const { dtype } = input(0);
  if (shares.every((share) => share === shares[0])) return builder.scalar(shares[0] ?? 1, dtype);
  return builder.constant(fromNumbers(dtype, pooling.small, shares), { name: 'shares' });
}

function averagePoolGradientGradient(context: GradientContext<AverageAttributes>): readonly (Value | undefined)[] {
  const { input_shape: _, ...pool } = context.attributes;
  return [context.builder.op('AveragePool', [context.outputGradient], pool)];
}

/** Gradients of pooling ops (own domain). */
export const poolingGradient: OpFamily<PoolingGradientAttributes> = {
  /** `dx[argmax_k x[i·s + k·d − p]] += dy[i]` */
  MaxPoolGradient: {
    domain: modelwrightDomain,
    inputs: exactly(3),
    outputs: exactly(1),
    attributes: poolAttributes,
    infer: inferMaxPoolGradient,
    gradient: maxPoolGradientGradient,
    evaluate: evaluateMaxPoolGradient,
    decompose: decomposeMaxPoolGradient,
  },
  /** `dx[i·s + k·d − p] += dy[i] / count(i)` */
  AveragePoolGradient: {
    domain: modelwrightDomain,
    inputs: exactly(1),
    outputs: exactly(1),
    attributes: {
      ...poolAttributes,
      count_include_pad: { kind: 'int', default: 0 },
      input_shape: { kind: 'ints', required: true },
    },
    infer: inferAveragePoolGradient,
    gradient: averagePoolGradientGradient,
    evaluate: evaluateAveragePoolGradient,
    decompose: decomposeAveragePoolGradient,
  },
};
