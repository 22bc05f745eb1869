import type { Value, ValueType } from '../graph/graph.js';
import { concreteShape } from '../tensor/shape.js';
import { elementCountOf, fromNumbers, type Tensor, toNumbers } from '../tensor/tensor.js';
import type { EvaluateContext, GradientContext, InferContext, NoAttributes, OpFamily } from './definition.js';
import { globalPooling } from './global-pooling.js';
import { lpPooling } from './lp-pooling.js';
import { maxUnpooling } from './max-unpooling.js';
import { poolAttributes, pooledShape } from './pool-attributes.js';
import { argMaxOfWindows, divisorsOf, explicitPool, forEachPoolingPair, poolingOf } from './pooling-kernel.js';
import { between, exactly, requireFloat } from './rules.js';

export interface PoolAttributes {
  auto_pad: 'NOTSET' | 'SAME_UPPER' | 'SAME_LOWER' | 'VALID';
  ceil_mode: number;
  kernel_shape: readonly number[];
  strides?: readonly number[];
  dilations?: readonly number[];
  pads?: readonly number[];
}

/** Attributes of the pooling ops, by op. */
export interface PoolingAttributes {
  /** Outputs `(y, indices?)`. */
  MaxPool: PoolAttributes & { storage_order: number };
  AveragePool: PoolAttributes & { count_include_pad: number };
  LpPool: PoolAttributes & { p: number };
  GlobalAveragePool: NoAttributes;
  GlobalMaxPool: NoAttributes;
  GlobalLpPool: { p: number };
  MaxUnpool: { kernel_shape: readonly number[]; strides?: readonly number[]; pads?: readonly number[] };
}

function inferMaxPool(context: InferContext<PoolingAttributes['MaxPool']>): readonly ValueType[] {
  const { dtype } = context.input(0);
  if (dtype !== 'int8' && dtype !== 'uint8') requireFloat(context, 0);
  const shape = pooledShape(context);
  return [
    { dtype, shape },
    { dtype: 'int64', shape },
  ];
}

function evaluateMaxPool(context: EvaluateContext<PoolingAttributes['MaxPool']>): readonly Tensor[] {
  const x = context.input(0);
  const pooling = poolingOf(x.shape, context.attributes);
  const values = toNumbers(x);
  const best = argMaxOfWindows(pooling, values);
  const shape = [...x.shape.slice(0, 2), ...pooling.small];
  const y = Float64Array.from(best, (at) => values[at] as number);
  const order = context.attributes.storage_order === 1 ? columnMajor(pooling.large) : undefined;
  const span = elementCountOf(pooling.large);
  const indices = order === undefined ? best : best.map((at) => at - (at % span) + (order[at % span] as number));
  return [fromNumbers(x.dtype, shape, y), fromNumbers('int64', shape, indices)];
}

// Where each element of a row-major plane stands when its first axis runs fastest.
function columnMajor(shape: readonly number[]): Int32Array {
  const order = new Int32Array(elementCountOf(shape));
  for (let index = 0; index < order.length; index++) {
    let rest = index;
    let [at, stride] = [0, elementCountOf(shape)];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const extent = shape[axis] as number;
      stride /= extent;
      at += (rest % extent) * stride;
      rest = Math.floor(rest / extent);
    }
    order[index] = at;
  }
  return order;
}

function inferAveragePool(context: InferContext<PoolAttributes>): readonly ValueType[] {
  requireFloat(context, 0);
  return [{ dtype: context.input(0).dtype, shape: pooledShape(context) }];
}

function evaluateAveragePool(context: EvaluateContext<PoolingAttributes['AveragePool']>): readonly Tensor[] {
  const x = context.input(0);
  const pooling = poolingOf(x.shape, context.attributes);
  const values = toNumbers(x);
  const divisors = divisorsOf(pooling, context.attributes.count_include_pad !== 0);
  const y = new Float64Array(pooling.planes * divisors.length);
  forEachPoolingPair(pooling, (largeAt, smallAt) => {
    y[smallAt] = (y[smallAt] as number) + (values[largeAt] as number);
  });
  for (let at = 0; at < y.length; at++) y[at] = (y[at] as number) / (divisors[at % divisors.length] as number);
  return [fromNumbers(x.dtype, [...x.shape.slice(0, 2), ...pooling.small], y)];
}

function maxPoolGradient(context: GradientContext<PoolingAttributes['MaxPool']>): readonly (Value | undefined)[] {
  const { builder, input, outputs, outputGradient: dy, attributes } = context;
  const spatial = concreteShape(input(0).shape, 'the input of MaxPool').slice(2);
  return [builder.op('MaxPoolGradient', [input(0), outputs[0], dy], explicitPool(attributes, spatial))];
}

function averagePoolGradient(
  context: GradientContext<PoolingAttributes['AveragePool']>,
): readonly (Value | undefined)[] {
  const { builder, input, outputGradient: dy, attributes } = context;
  const shape = concreteShape(input(0).shape, 'the input of AveragePool');
  return [
    builder.op('AveragePoolGradient', [dy], {
      ...explicitPool(attributes, shape.slice(2)),
      count_include_pad: attributes.count_include_pad,
      input_shape: shape,
    }),
  ];
}

/** Pooling ops. */
export const pooling: OpFamily<PoolingAttributes> = {
  ...globalPooling,
  ...lpPooling,
  ...maxUnpooling,
  /** `y[i] = max_k x[i·s + k·d − p]`; `indices` are flat positions in the whole input. */
  MaxPool: {
    inputs: exactly(1),
    outputs: between(1, 2),
    attributes: { ...poolAttributes, storage_order: { kind: 'int', default: 0 } },
    infer: inferMaxPool,
    gradient: maxPoolGradient,
    evaluate: evaluateMaxPool,
  },
  /** `y[i] = Σ_k x[i·s + k·d − p] / count(i)` */
  AveragePool: {
    inputs: exactly(1),
    outputs: exactly(1),
    attributes: { ...poolAttributes, count_include_pad: { kind: 'int', default: 0 } },
    infer: inferAveragePool,
    gradient: averagePoolGradient,
    evaluate: evaluateAveragePool,
  },
};
