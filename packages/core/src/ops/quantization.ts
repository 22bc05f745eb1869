import type { Value, ValueType } from '../graph/graph.js';
import { castTo } from '../graph/shape-ops.js';
import { type DType, isFloat } from '../tensor/dtype.js';
import { dtypeOfOnnx } from '../tensor/onnx-data-type.js';
import { compatibleDimension, compatibleShape, type Dimension, formatShape } from '../tensor/shape.js';
import { fromNumbers, type Tensor, toNumbers } from '../tensor/tensor.js';
import type { ConvAttributes } from './convolution.js';
import type { DecomposeContext, EvaluateContext, InferContext, NoAttributes, OpFamily } from './definition.js';
import { type FakeQuantizeAttributes, fakeQuantize } from './fake-quantize.js';
import { integerProducts } from './integer-products.js';
import { quantized, quantizedDTypes, rangeOf, scaleIndex } from './quantization-kernel.js';
import { between, exactly } from './rules.js';
import { checkedAxis, requireDType } from './shape-inputs.js';

interface BlockAttributes {
  readonly axis: number;
  readonly block_size: number;
}

/** Attributes of the quantization ops, by op. */
export interface QuantizationAttributes {
  /** `(x, scale, zero_point?)` */
  QuantizeLinear: { axis: number; block_size: number; output_dtype: number; saturate: number };
  DequantizeLinear: { axis: number; block_size: number };
  DynamicQuantizeLinear: NoAttributes;
  MatMulInteger: NoAttributes;
  ConvInteger: ConvAttributes;
  /** Own domain: `(x, scale, zero_point?)` */
  FakeQuantize: FakeQuantizeAttributes;
}

// One scale for all, one for each place of the axis, or one for each block along it.
function checkScales(context: InferContext<BlockAttributes>): void {
  const [x, scale] = [context.input(0).shape, context.input(1).shape];
  const { block_size } = context.attributes;
  const zeroPoint = context.inputs[2];
  const isSingle = (shape: readonly Dimension[]): boolean => shape.every((extent) => extent === 1);
  // One value for all may be written as a scalar or as a vector of one, and not always in the same way.
  const isOneForAll = zeroPoint !== undefined && isSingle(zeroPoint.shape) && isSingle(scale);
  if (zeroPoint !== undefined && !isOneForAll && !compatibleShape(zeroPoint.shape, scale)) {
    context.fail(`scale ${formatShape(scale)} and zero point ${formatShape(zeroPoint.shape)} differ in shape`);
  }
  if (scale.length === 0 || (scale.length === 1 && scale[0] === 1 && block_size === 0)) return;
  const axis = checkedAxis(context.attributes.axis, x.length, context.fail);
  const fits =
    block_size === 0
      ? scale.length === 1 && compatibleDimension(scale[0] as Dimension, x[axis] as Dimension)
      : isBlocked(x, scale, axis, block_size);
  if (!fits) {
    const asked =
      block_size === 0 ? `one scale for each place of axis ${axis}` : `blocks of ${block_size} along axis ${axis}`;
    context.fail(`scale ${formatShape(scale)} does not fit input ${formatShape(x)} with ${asked}`, { given: scale });
  }
}

function isBlocked(x: readonly Dimension[], scale: readonly Dimension[], axis: number, blockSize: number): boolean {
  if (x.length !== scale.length) return false;
  return x.every((extent, at) => {
    const blocks = scale[at] as Dimension;
    if (at !== axis || typeof extent !== 'number') return compatibleDimension(extent, blocks) || at === axis;
    return typeof blocks !== 'number' || blocks === Math.ceil(extent / blockSize);
  });
}

function quantizedDType(context: InferContext<QuantizationAttributes['QuantizeLinear']>): DType {
  const { output_dtype } = context.attributes;
  const asked = output_dtype === 0 ? undefined : dtypeOfOnnx(output_dtype);
  const zeroPoint = context.inputs[2]?.dtype;
  if (asked !== undefined && zeroPoint !== undefined && asked !== zeroPoint) {
    context.fail(`output_dtype asks for ${asked}, the zero point is ${zeroPoint}`, { given: asked }, 'dtype-mismatch');
  }
  const dtype = zeroPoint ?? asked ?? 'uint8';
  if (!quantizedDTypes.includes(dtype)) {
    context.fail(
      `cannot quantize to ${dtype}; allowed: ${quantizedDTypes.join(', ')}`,
      { given: dtype },
      'dtype-mismatch',
    );
  }
  return dtype;
}

function inferQuantize(context: InferContext<QuantizationAttributes['QuantizeLinear']>): readonly ValueType[] {
  const { dtype, shape } = context.input(0);
  if (!isFloat(dtype)) requireDType(context, 0, ['int32'], 'input 0');
  if (!isFloat(context.input(1).dtype)) requireDType(context, 1, ['int32'], 'scale');
  checkScales(context);
  return [{ dtype: quantizedDType(context), shape }];
}

function inferDequantize(context: InferContext<BlockAttributes>): readonly ValueType[] {
  requireDType(context, 0, [...quantizedDTypes, 'int32']);
  const scale = context.input(1);
  if (!isFloat(scale.dtype)) context.fail(`scale is ${scale.dtype}; a float is needed`, {}, 'dtype-mismatch');
  if (context.inputs[2] !== undefined) requireDType(context, 2, [context.input(0).dtype], 'zero point');
  checkScales(context);
  return [{ dtype: scale.dtype, shape: context.input(0).shape }];
}

interface Scaling {
  readonly scales: Float64Array;
  readonly zeroPoints: Float64Array;
  readonly indexOf: (at: number) => number;
}

function scalingOf(context: EvaluateContext<BlockAttributes>): Scaling {
  const { shape, rank } = context.input(0);
  const scale = context.input(1);
  const zeroPoint = context.inputs[2];
  const { axis, block_size } = context.attributes;
  const isShared = scale.elementCount === 1 && block_size === 0;
  return {
    scales: toNumbers(scale),
    zeroPoints: zeroPoint === undefined ? new Float64Array(scale.elementCount) : toNumbers(zeroPoint),
    indexOf: scaleIndex({
      shape,
      scaleShape: scale.shape,
      axis: isShared ? 0 : checkedAxis(axis, rank, context.fail),
      blockSize: block_size,
    }),
  };
}

function evaluateQuantize(context: EvaluateContext<QuantizationAttributes['QuantizeLinear']>): readonly Tensor[] {
  const x = toNumbers(context.input(0));
  const { scales, zeroPoints, indexOf } = scalingOf(context);
  const dtype = context.outputTypes[0]?.dtype ?? 'uint8';
  const range = rangeOf(dtype);
  const y = x.map((value, at) => {
    const index = indexOf(at);
    return quantized(value, scales[index] as number, zeroPoints[index] as number, range);
  });
  return [fromNumbers(dtype, context.input(0).shape, y)];
}

function evaluateDequantize(context: EvaluateContext<BlockAttributes>): readonly Tensor[] {
  const x = toNumbers(context.input(0));
  const { scales, zeroPoints, indexOf } = scalingOf(context);
  const y = x.map((value, at) => {
    const index = indexOf(at);
    return (value - (zeroPoints[index] as number)) * (scales[index] as number);
  });
  return [fromNumbers(context.input(1).dtype, context.input(0).shape, y)];
}

function inferDynamicQuantize(context: InferContext<NoAttributes>): readonly ValueType[] {
  // ONNX has float32 alone; float64 serves the reference.
  requireDType(context, 0, ['float32', 'float64']);
  return [
    { dtype: 'uint8', shape: context.input(0).shape },
    { dtype: context.input(0).dtype, shape: [] },
    { dtype: 'uint8', shape: [] },
  ];
}

const levels = 255;

function evaluateDynamicQuantize(context: EvaluateContext<NoAttributes>): readonly Tensor[] {
  const x = toNumbers(context.input(0));
  let [low, high] = [0, 0];
  for (const value of x) [low, high] = [Math.min(low, value), Math.max(high, value)];
  // All zeros: any scale does.
  const exact = high === low ? 1 : (high - low) / levels;
  // What is handed out in float32 must be what was divided by.
  const scale = context.outputTypes[1]?.dtype === 'float32' ? Math.fround(exact) : exact;
  const range = rangeOf('uint8');
  const zeroPoint = quantized(-low, scale, 0, range);
  return [
    fromNumbers(
      'uint8',
      context.input(0).shape,
      x.map((value) => quantized(value, scale, zeroPoint, range)),
    ),
    fromNumbers('float64', [], [scale]),
    fromNumbers('uint8', [], [zeroPoint]),
  ];
}

// scale = (max(0, x) − min(0, x))/255; zero point = −min/scale
function decomposeDynamicQuantize({ builder, input, outputCount }: DecomposeContext<NoAttributes>): readonly Value[] {
  const x = input(0);
  const scalar = (value: number): Value => builder.scalar(value, x.dtype);
  const zero = scalar(0);
  const low = builder.op('Min', [builder.op('ReduceMin', [x], { keepdims: 0 }), zero]);
  const high = builder.op('Max', [builder.op('ReduceMax', [x], { keepdims: 0 }), zero]);
  const spread = builder.op('Sub', [high, low]);
  const share = builder.op('Div', [spread, scalar(levels)]);
  const isFlat = builder.op('Equal', [spread, zero]);
  const scale = builder.op('Where', [isFlat, scalar(1), share]);
  const lowest = builder.op('Round', [builder.op('Div', [builder.op('Neg', [low]), scale])]);
  const clipped = builder.op('Min', [builder.op('Max', [lowest, zero]), scalar(levels)]);
  const zeroPoint = castTo(builder, clipped, 'uint8');
  return [builder.op('QuantizeLinear', [x, scale, zeroPoint]), scale, zeroPoint].slice(0, outputCount);
}

/** Quantization to integers and back, and products of quantized numbers. */
export const quantization: OpFamily<QuantizationAttributes> = {
  ...integerProducts,
  FakeQuantize: fakeQuantize,
  /** `y = clip(round(x / scale) + zero_point)`, halves to even. */
  QuantizeLinear: {
    inputs: between(2, 3),
    outputs: exactly(1),
    attributes: {
      axis: { kind: 'int', default: 1 },
      block_size: { kind: 'int', default: 0 },
      output_dtype: { kind: 'int', default: 0 },
      saturate: { kind: 'int', default: 1 },
    },
    infer: inferQuantize,
    gradient: 'not-differentiable',
    evaluate: evaluateQuantize,
  },
  /** `y = (x − zero_point)·scale` */
  DequantizeLinear: {
    inputs: between(2, 3),
    outputs: exactly(1),
    attributes: { axis: { kind: 'int', default: 1 }, block_size: { kind: 'int', default: 0 } },
    infer: inferDequantize,
    gradient: 'not-differentiable',
    evaluate: evaluateDequantize,
  },
  /** `(x)` → `(y, scale, zero_point)`, the scale chosen so that the range of `x` and zero fit into uint8. */
  DynamicQuantizeLinear: {
    inputs: exactly(1),
    outputs: exactly(3),
    attributes: {},
    infer: inferDynamicQuantize,
    gradient: 'not-differentiable',
    evaluate: evaluateDynamicQuantize,
    decompose: decomposeDynamicQuantize,
  },
};
