import type { Value } from '../graph/graph.js';
import { castTo } from '../graph/shape-ops.js';
import { type DType, isFloat } from '../tensor/dtype.js';
import { dtypeOfOnnx } from '../tensor/onnx-data-type.js';
import type { Dimension } from '../tensor/shape.js';
import { Tensor, tensor, toNumbers, zeros } from '../tensor/tensor.js';
import { castElements } from './cast-elements.js';
import type { GradientContext, InferContext, NoAttributes, OpFamily } from './definition.js';
import { exactly } from './rules.js';
import { integersAt, requireDType, wantedDimensions } from './shape-inputs.js';
import { stridedCopy } from './strided-copy.js';

/** Attributes of the constants, ranges, casts and shapes, by op. */
export interface CreationAttributes {
  Constant: { value: Tensor };
  ConstantOfShape: { value?: Tensor };
  Shape: { start: number; end?: number };
  Size: NoAttributes;
  Range: NoAttributes;
  /** `to` is an ONNX data type number; see {@link onnxDataType}. */
  Cast: { to: number; saturate: number };
  CastLike: { saturate: number };
}

const saturate = { kind: 'int', default: 1 } as const;

/** Constants, ranges, casts and shapes. */
export const creation: OpFamily<CreationAttributes> = {
  Constant: {
    inputs: exactly(0),
    outputs: exactly(1),
    attributes: { value: { kind: 'tensor', required: true } },
    infer: ({ attributes }) => [{ dtype: attributes.value.dtype, shape: attributes.value.shape }],
    gradient: 'not-differentiable',
    evaluate: ({ attributes }) => [attributes.value],
  },
  ConstantOfShape: {
    inputs: exactly(1),
    outputs: exactly(1),
    attributes: { value: { kind: 'tensor' } },
    infer: (context) => {
      const { value } = context.attributes;
      if (value !== undefined && value.elementCount !== 1) {
        context.fail(
          `'value' has ${value.elementCount} elements; exactly 1 is needed`,
          { given: value.shape },
          'invalid-attribute',
        );
      }
      return [{ dtype: value?.dtype ?? 'float32', shape: extentsOf(context, 0) }];
    },
    gradient: 'not-differentiable',
    evaluate: (context) => {
      const shape = integersAt(context, 0) ?? [];
      const value = context.attributes.value ?? zeros('float32', []);
      return [stridedCopy(value, { shape, strides: shape.map(() => 0) })];
    },
  },
  Shape: {
    inputs: exactly(1),
    outputs: exactly(1),
    attributes: { start: { kind: 'int', default: 0 }, end: { kind: 'int' } },
    infer: (context) => {
      const { start, end } = context.attributes;
      return [{ dtype: 'int64', shape: [context.input(0).shape.slice(start, end).length] }];
    },
    gradient: () => [undefined],
    evaluate: (context) => {
      const { start, end } = context.attributes;
      const extents = context.input(0).shape.slice(start, end);
      return [tensor(extents, { dtype: 'int64', shape: [extents.length] })];
    },
  },
  Size: {
    inputs: exactly(1),
    outputs: exactly(1),
    attributes: {},
    infer: () => [{ dtype: 'int64', shape: [] }],
    gradient: () => [undefined],
    evaluate: (context) => [tensor(context.input(0).elementCount, { dtype: 'int64' })],
  },
  // y[i] = start + i·delta for i < ⌈(limit − start) / delta⌉
  Range: {
    inputs: exactly(3),
    outputs: exactly(1),
    attributes: {},
    infer: (context) => {
      const { dtype } = context.input(0);
      for (const [index, what] of ['start', 'limit', 'delta'].entries()) {
        requireDType(context, index, [dtype], what);
        const { shape } = context.input(index);
        if (shape.some((extent) => extent !== 1)) {
          context.fail(`${what} has shape [${shape}]; a scalar is needed`, { given: shape });
        }
      }
      return [{ dtype, shape: [rangeExtent(context) ?? context.unknownDimension('range')] }];
    },
    gradient: 'not-differentiable',
    evaluate: (context) => {
      const [start, limit, delta] = [0, 1, 2].map((index) => context.input(index)) as [Tensor, Tensor, Tensor];
      return [rangeTensor(start, delta, rangeCount(scalarOf(start), scalarOf(limit), scalarOf(delta), context.fail))];
    },
  },
  Cast: {
    inputs: exactly(1),
    outputs: exactly(1),
    attributes: { to: { kind: 'int', required: true }, saturate },
    infer: (context) => [{ dtype: dtypeOfOnnx(context.attributes.to), shape: context.input(0).shape }],
    gradient: castGradient,
    evaluate: (context) => [castElements(context.input(0), dtypeOfOnnx(context.attributes.to))],
    elementwise: true,
  },
  CastLike: {
    inputs: exactly(2),
    outputs: exactly(1),
    attributes: { saturate },
    infer: (context) => [{ dtype: context.input(1).dtype, shape: context.input(0).shape }],
    gradient: castGradient,
    evaluate: (context) => [castElements(context.input(0), (context.outputTypes[0] as { dtype: DType }).dtype)],
    decompose: ({ builder, input }) => [castTo(builder, input(0), input(1).dtype)],
  },
};

function extentsOf(context: InferContext<object>, index: number): readonly Dimension[] {
  const wanted = wantedDimensions(context, index, 'the shape');
  const negative = wanted.find((extent) => typeof extent === 'number' && extent < 0);
  if (negative !== undefined) {
    context.fail(`the shape [${wanted}] has the negative extent ${negative}`, { given: wanted }, 'value-out-of-range');
  }
  return wanted;
}

function scalarOf(t: Tensor): number {
  return toNumbers(t)[0] as number;
}

function rangeExtent(context: InferContext<object>): Dimension | undefined {
  const held = [0, 1, 2].map((index) => context.constant(index));
  if (held.every((each): each is Tensor => each !== undefined)) {
    const [start, limit, delta] = held.map(scalarOf) as [number, number, number];
    return rangeCount(start, limit, delta, context.fail);
  }
  const [start, limit, delta] = [0, 1, 2].map((index) => context.dimensions(index)?.[0]);
  if (typeof start === 'number' && typeof limit === 'number' && typeof delta === 'number') {
    return rangeCount(start, limit, delta, context.fail);
  }
  return start === 0 && delta === 1 ? limit : undefined;
}

function rangeCount(start: number, limit: number, delta: number, fail: InferContext<object>['fail']): number {
  if (delta === 0) fail('delta is 0, so the range never ends', { given: delta }, 'value-out-of-range');
  return Math.max(0, Math.ceil((limit - start) / delta));
}

function rangeTensor(start: Tensor, delta: Tensor, count: number): Tensor {
  if (start.data instanceof BigInt64Array) {
    const [first, step] = [start.data[0] as bigint, delta.data[0] as bigint];
    return new Tensor(
      'int64',
      [count],
      BigInt64Array.from({ length: count }, (_, index) => first + BigInt(index) * step),
    );
  }
  const [first, step] = [scalarOf(start), scalarOf(delta)];
  const values = Float64Array.from({ length: count }, (_, index) => first + index * step);
  return castElements(new Tensor('float64', [count], values), start.dtype);
}

function castGradient({
  builder,
  input,
  inputs,
  outputGradient: dy,
}: GradientContext<object>): readonly (Value | undefined)[] {
  const { dtype } = input(0);
  const back = isFloat(dtype) && isFloat(dy.dtype) ? castTo(builder, dy, dtype) : undefined;
  return [back, ...inputs.slice(1).map(() => undefined)];
}
