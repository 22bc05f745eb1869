import type { Value, ValueType } from '../graph/graph.js';
import { addDimensions, type Dimension, formatShape, multiplyDimensions, type Shape } from '../tensor/shape.js';
import { elementCountOf, fromNumbers, type Tensor, toNumbers } from '../tensor/tensor.js';
import type { EvaluateContext, GradientContext, InferContext, OpFamily } from './definition.js';
import type { PoolingAttributes } from './pooling.js';
import { between, exactly, requireFloat } from './rules.js';

type UnpoolAttributes = PoolingAttributes['MaxUnpool'];

// What a max pooling by this window would have pooled: (n − 1)·s + k − p.
function unpooledShape(shape: Shape, { kernel_shape, strides, pads }: UnpoolAttributes): Shape {
  const rank = kernel_shape.length;
  const spatial = shape.slice(2).map((extent, axis) => {
    const reached = multiplyDimensions(addDimensions(extent, -1), strides?.[axis] ?? 1);
    return addDimensions(reached, (kernel_shape[axis] as number) - (pads?.[axis] ?? 0) - (pads?.[axis + rank] ?? 0));
  });
  return [...shape.slice(0, 2), ...spatial];
}

function inferMaxUnpool(context: InferContext<UnpoolAttributes>): readonly ValueType[] {
  requireFloat(context, 0);
  const { dtype, shape } = context.input(0);
  const indices = context.input(1);
  if (indices.dtype !== 'int64') {
    context.fail(`indices are ${indices.dtype}; int64 is needed`, { given: indices.dtype }, 'dtype-mismatch');
  }
  if (shape.length !== context.attributes.kernel_shape.length + 2) {
    context.fail(`input ${formatShape(shape)} does not fit a window of [${context.attributes.kernel_shape}]`);
  }
  if (context.inputs[2] === undefined) return [{ dtype, shape: unpooledShape(shape, context.attributes) }];
  const wanted =
    context.dimensions(2) ?? shape.map((_, axis): Dimension => context.unknownDimension(`unpooled${axis}_`));
  return [{ dtype, shape: wanted }];
}

// Flat target of each element. Indices count within the shape that was pooled, which lies at the origin of the result.
function targets(indices: Float64Array, pooled: readonly number[], shape: readonly number[]): Int32Array {
  return Int32Array.from(indices, (index) => {
    let rest = index;
    let [at, stride] = [0, 1];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const extent = pooled[axis] as number;
      at += (rest % extent) * stride;
      rest = Math.floor(rest / extent);
      stride *= shape[axis] as number;
    }
    return at;
  });
}

function evaluateMaxUnpool(context: EvaluateContext<UnpoolAttributes>): readonly Tensor[] {
  const [x, indices, wanted] = [context.input(0), context.input(1), context.inputs[2]];
  const pooled = unpooledShape(x.shape, context.attributes) as readonly number[];
  const shape = wanted === undefined ? pooled : [...toNumbers(wanted)];
  const y = new Float64Array(elementCountOf(shape));
  const values = toNumbers(x);
  targets(toNumbers(indices), pooled, shape).forEach((target, at) => {
    if (target < 0 || target >= y.length) {
      context.fail(
        `index ${target} lies outside the result ${formatShape(shape)}`,
        { given: target },
        'value-out-of-range',
      );
    }
    y[target] = values[at] as number;
  });
  return [fromNumbers(x.dtype, shape, y)];
}

// dx[i] = dy[indices[i]]
function maxUnpoolGradient(context: GradientContext<UnpoolAttributes>): readonly (Value | undefined)[] {
  const { builder, input, outputGradient: dy } = context;
  const pooled = unpooledShape(input(0).shape, context.attributes) as readonly number[];
  // Whatever lies beyond the pooled shape was never written.
  const origin = builder.integers(pooled.map(() => 0));
  const inside = builder.op('Slice', [dy, origin, builder.integers(pooled)]);
  const flat = builder.op('Reshape', [inside, builder.integers([-1])]);
  return [builder.op('Gather', [flat, input(1)], { axis: 0 })];
}

/** The partial inverse of max pooling. */
export const maxUnpooling: Pick<OpFamily<PoolingAttributes>, 'MaxUnpool'> = {
  /** `y[indices[i]] = x[i]`, zero elsewhere. */
  MaxUnpool: {
    inputs: between(2, 3),
    outputs: exactly(1),
    attributes: { kernel_shape: { kind: 'ints', required: true }, strides: { kind: 'ints' }, pads: { kind: 'ints' } },
    infer: inferMaxUnpool,
    gradient: maxUnpoolGradient,
    evaluate: evaluateMaxUnpool,
  },
};
