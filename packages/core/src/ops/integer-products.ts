import type { Value, ValueType } from '../graph/graph.js';
import { castTo } from '../graph/shape-ops.js';
import { broadcastShapes, compatibleDimension, type Dimension, formatShape, type Shape } from '../tensor/shape.js';
import { elementCountOf, fromNumbers, type Tensor, toNumbers } from '../tensor/tensor.js';
import type { ConvAttributes } from './convolution.js';
import { convAttributes, convolutionShape, convolutionWindow, layoutOf } from './convolution.js';
import { convolve } from './convolution-kernel.js';
import type { DecomposeContext, EvaluateContext, InferContext, NoAttributes, OpFamily } from './definition.js';
import { matrixProduct } from './matrix-product.js';
import type { QuantizationAttributes } from './quantization.js';
import { between, exactly, mapBinary } from './rules.js';
import { requireDType } from './shape-inputs.js';
import { failUnnamed, windowOutput } from './window.js';

const bytes = ['int8', 'uint8'];

function requireBytes(context: InferContext<object>): void {
  requireDType(context, 0, bytes);
  requireDType(context, 1, bytes);
  for (const index of [2, 3]) {
    if (context.inputs[index] !== undefined)
      requireDType(context, index, [context.input(index - 2).dtype], 'zero point');
  }
}

function inferMatMulInteger(context: InferContext<NoAttributes>): readonly ValueType[] {
  requireBytes(context);
  const [a, b] = [context.input(0).shape, context.input(1).shape];
  return [{ dtype: 'int32', shape: productShape(context, a, b) }];
}

function productShape(context: InferContext<NoAttributes>, a: Shape, b: Shape): Shape {
  if (a.length === 0 || b.length === 0) context.fail('a scalar has no matrix product', { given: [a, b] });
  const left = a.length === 1 ? [1, ...a] : a;
  const right = b.length === 1 ? [...b, 1] : b;
  const batch = broadcastShapes(left.slice(0, -2), right.slice(0, -2));
  if (batch === undefined || !compatibleDimension(left.at(-1) as Dimension, right.at(-2) as Dimension)) {
    return context.fail(`${formatShape(a)} and ${formatShape(b)} have no matrix product`, { given: [a, b] });
  }
  const rows = a.length === 1 ? [] : [left.at(-2) as Dimension];
  const columns = b.length === 1 ? [] : [right.at(-1) as Dimension];
  return [...batch, ...rows, ...columns];
}

/** Shape under which a zero point of `a` broadcasts: one a row. */
const rowShape = (shape: readonly number[]): readonly number[] => (shape.length === 1 ? [...shape, 1] : shape);

/** `x − zero_point` as float64; exact, since all of it is small. */
function shifted(x: Tensor, zeroPoint: Tensor | undefined, shape: readonly number[]): Tensor {
  const numbers = fromNumbers('float64', x.shape, toNumbers(x));
  if (zeroPoint === undefined) return numbers;
  return mapBinary(numbers, fromNumbers('float64', shape, toNumbers(zeroPoint)), (value, zero) => value - zero);
}

function evaluateMatMulInteger(context: EvaluateContext<NoAttributes>): readonly Tensor[] {
  const [aZero, bZero] = [context.inputs[2], context.inputs[3]];
  const a = shifted(context.input(0), aZero, rowShape(aZero?.shape ?? []));
  const b = shifted(context.input(1), bZero, bZero?.shape ?? []);
  const product = matrixProduct(a, b);
  return [fromNumbers('int32', product.shape, toNumbers(product))];
}

// The same in int32.
function decomposeMatMulInteger({ builder, input, inputs }: DecomposeContext<NoAttributes>): readonly Value[] {
  const wide = (index: number): Value => castTo(builder, input(index), 'int32');
  const [aZero, bZero] = [inputs[2], inputs[3]];
  const perRow = aZero?.shape.length === 1 && aZero.shape[0] !== 1;
  const zero = (index: number): Value =>
    perRow && index === 2 ? builder.op('Reshape', [wide(2), builder.integers([-1, 1])]) : wide(index);
  const a = aZero === undefined ? wide(0) : builder.op('Sub', [wide(0), zero(2)]);
  const b = bZero === undefined ? wide(1) : builder.op('Sub', [wide(1), zero(3)]);
  return [builder.op('MatMul', [a, b])];
}

function inferConvInteger(context: InferContext<ConvAttributes>): readonly ValueType[] {
  requireBytes(context);
  return [{ dtype: 'int32', shape: convolutionShape(context) }];
}

function evaluateConvInteger(context: EvaluateContext<ConvAttributes>): readonly Tensor[] {
  const { attributes } = context;
  const [xZero, wZero] = [context.inputs[2], context.inputs[3]];
  const x = shifted(context.input(0), xZero, []);
  const ones = context
    .input(1)
    .shape.slice(1)
    .map(() => 1);
  const w = shifted(context.input(1), wZero, wZero?.elementCount === 1 ? [] : [wZero?.elementCount ?? 1, ...ones]);
  const spatial = x.shape.slice(2);
  const window = convolutionWindow(spatial, w.shape.slice(2), attributes);
  const small = windowOutput(failUnnamed, spatial, window, attributes) as readonly number[];
  const shape = [x.shape[0] as number, w.shape[0] as number, ...small];
  const y = new Float64Array(elementCountOf(shape));
  // Padding holds the zero point, which is 0 here.
  convolve(layoutOf(x.shape, w.shape, small, { group: attributes.group, window }), toNumbers(x), toNumbers(w), y);
  return [fromNumbers('int32', shape, y)];
}

/** Products of quantized numbers, summed in int32. */
export const integerProducts: Pick<OpFamily<QuantizationAttributes>, 'MatMulInteger' | 'ConvInteger'> = {
  /** `y = (a − a_zero)·(b − b_zero)` */
  MatMulInteger: {
    inputs: between(2, 4),
    outputs: exactly(1),
    attributes: {},
    infer: inferMatMulInteger,
    gradient: 'not-differentiable',
    evaluate: evaluateMatMulInteger,
    decompose: decomposeMatMulInteger,
  },
  /** `y = (x − x_zero) ⋆ (w − w_zero)` */
  ConvInteger: {
    inputs: between(2, 4),
    outputs: exactly(1),
    attributes: convAttributes,
    infer: inferConvInteger,
    gradient: 'not-differentiable',
    evaluate: evaluateConvInteger,
  },
};
