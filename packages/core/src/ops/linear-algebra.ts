import type { Value, ValueType } from '../graph/graph.js';
import type { GraphBuilder } from '../graph/graph-builder.js';
import { isFloat } from '../tensor/dtype.js';
import { broadcastShapes, compatibleDimension, concreteShape, formatShape, type Shape } from '../tensor/shape.js';
import { fullTensor, type Tensor } from '../tensor/tensor.js';
import { arithmeticBinary } from './arithmetic.js';
import type { EvaluateContext, GradientContext, InferContext, NoAttributes, OpFamily } from './definition.js';
import { determinant } from './determinant.js';
import { einsum } from './einsum.js';
import { matrixProduct } from './matrix-product.js';
import { between, exactly, requireNumeric, requireRank, requireSameDType } from './rules.js';
import { transposeTensor } from './strided-copy.js';

/** Attributes of the linear algebra ops, by op. */
export interface LinearAlgebraAttributes {
  MatMul: NoAttributes;
  Gemm: { alpha: number; beta: number; transA: number; transB: number };
  Einsum: { equation: string };
  Det: NoAttributes;
}

type GemmAttributes = LinearAlgebraAttributes['Gemm'];

/** Linear algebra ops. */
export const linearAlgebra: OpFamily<LinearAlgebraAttributes> = {
  // y[…,i,j] = Σ_k a[…,i,k]·b[…,k,j];  da = dy·bᵀ, db = aᵀ·dy, summed over broadcast batches
  MatMul: {
    inputs: exactly(2),
    outputs: exactly(1),
    attributes: {},
    infer: inferMatMul,
    gradient: matMulGradient,
    evaluate: ({ input }) => [matrixProduct(input(0), input(1))],
  },
  // y = α·a'·b' + β·c, where a' and b' are a and b or their transposes
  Gemm: {
    inputs: between(2, 3),
    outputs: exactly(1),
    attributes: {
      alpha: { kind: 'float', default: 1 },
      beta: { kind: 'float', default: 1 },
      transA: { kind: 'int', default: 0 },
      transB: { kind: 'int', default: 0 },
    },
    infer: inferGemm,
    gradient: gemmGradient,
    evaluate: evaluateGemm,
  },
  Einsum: einsum,
  Det: determinant,
};

function inferMatMul(context: InferContext<NoAttributes>): readonly ValueType[] {
  requireNumeric(context, 0);
  requireSameDType(context, 0, 1);
  const { dtype, shape: a } = context.input(0);
  const { shape: b } = context.input(1);
  const shapes = `${formatShape(a)} × ${formatShape(b)}`;
  if (a.length === 0 || b.length === 0) context.fail(`${shapes}: a scalar is not a matrix`, { given: [a, b] });
  const [inner, outer] = [a.at(-1) ?? 1, b.at(b.length === 1 ? 0 : -2) ?? 1];
  if (!compatibleDimension(inner, outer)) {
    context.fail(`${shapes}: ${inner} columns on the left, ${outer} rows on the right`, { given: [a, b] });
  }
  const batch = broadcastShapes(a.slice(0, -2), b.slice(0, -2));
  if (batch === undefined) return context.fail(`${shapes}: the leading axes do not broadcast`, { given: [a, b] });
  const rows = a.length === 1 ? [] : a.slice(-2, -1);
  const columns = b.length === 1 ? [] : b.slice(-1);
  return [{ dtype, shape: [...batch, ...rows, ...columns] }];
}

// Vectors are seen as matrices of one row (a) or one column (b); the caller sums over broadcast batch axes.
function matMulGradient(context: GradientContext<NoAttributes>): readonly (Value | undefined)[] {
  const { builder, input, outputGradient: dy, needs } = context;
  const [a, b] = [input(0), input(1)];
  const left = withAxis(builder, a, a.shape.length === 1 ? 0 : undefined);
  const right = withAxis(builder, b, b.shape.length === 1 ? 1 : undefined);
  const batch = concreteShape(dy.shape, 'the cotangent').slice(0, dy.shape.length - rankOf(a) - rankOf(b));
  const seed = reshape(builder, dy, [...batch, left.shape.at(-2) as number, right.shape.at(-1) as number]);
  if (left.shape.length > 2 && right.shape.length === 2) return flatMatMulGradient(context, seed);
  const da = needs(0) ? productWithTransposed(builder, seed, right) : undefined;
  const db = needs(1) ? transposedProduct(builder, left, seed) : undefined;
  return [
    da === undefined ? undefined : dropAxis(builder, da, a.shape.length === 1 ? -2 : undefined),
    db === undefined ? undefined : dropAxis(builder, db, b.shape.length === 1 ? -1 : undefined),
  ];
}

// One matrix for all batches of a: the batches are more rows of one product, whose sum over them comes for free.
function flatMatMulGradient(context: GradientContext<NoAttributes>, seed: Value): readonly (Value | undefined)[] {
  const { builder, input, needs } = context;
  const [a, b] = [input(0), input(1)];
  const flatten = (value: Value): Value => reshape(builder, value, [-1, value.shape.at(-1) as number]);
  const flatSeed = flatten(seed);
  const right = withAxis(builder, b, b.shape.length === 1 ? 1 : undefined);
  const da = needs(0) ? productWithTransposed(builder, flatSeed, right) : undefined;
  const db = needs(1) ? transposedProduct(builder, flatten(a), flatSeed) : undefined;
  return [
    da === undefined ? undefined : reshape(builder, da, concreteShape(a.shape, `'${a.name}'`)),
    db === undefined ? undefined : reshape(builder, db, concreteShape(b.shape, `'${b.name}'`)),
  ];
}

const rankOf = (value: Value): number => (value.shape.length === 1 ? 0 : 1);

// dy·bᵀ
function productWithTransposed(builder: GraphBuilder, dy: Value, b: Value): Value {
  if (dy.shape.length === 2 && b.shape.length === 2) return builder.op('Gemm', [dy, b], { transB: 1 });
  return builder.op('MatMul', [dy, swapLastAxes(builder, b)]);
}

// aᵀ·dy
function transposedProduct(builder: GraphBuilder, a: Value, dy: Value): Value {
  if (a.shape.length === 2 && dy.shape.length === 2) return builder.op('Gemm', [a, dy], { transA: 1 });
  return builder.op('MatMul', [swapLastAxes(builder, a), dy]);
}

function swapLastAxes(builder: GraphBuilder, value: Value): Value {
  const perm = value.shape.map((_, axis) => axis);
  perm.push(...perm.splice(-2).reverse());
  return builder.op('Transpose', [value], { perm });
}

function withAxis(builder: GraphBuilder, value: Value, axis: number | undefined): Value {
  if (axis === undefined) return value;
  const shape = [...concreteShape(value.shape, `'${value.name}'`)];
  shape.splice(axis, 0, 1);
  return reshape(builder, value, shape);
}

function dropAxis(builder: GraphBuilder, value: Value, axis: number | undefined): Value {
  if (axis === undefined) return value;
  const shape = [...concreteShape(value.shape, `'${value.name}'`)];
  shape.splice(axis, 1);
  return reshape(builder, value, shape);
}

function reshape(builder: GraphBuilder, value: Value, shape: readonly number[]): Value {
  const same = value.shape.length === shape.length && value.shape.every((extent, axis) => extent === shape[axis]);
  return same ? value : builder.op('Reshape', [value, builder.integers(shape)]);
}

function inferGemm(context: InferContext<GemmAttributes>): readonly ValueType[] {
  requireNumeric(context, 0);
  requireSameDType(context, 0, 1);
  requireRank(context, 0, 2);
  requireRank(context, 1, 2);
  const { dtype, shape: a } = context.input(0);
  const { transA, transB } = context.attributes;
  const [rows, inner] = orient(a, transA);
  const [outer, columns] = orient(context.input(1).shape, transB);
  if (!compatibleDimension(inner as number, outer as number)) {
    const flags = `transA = ${transA}, transB = ${transB}`;
    context.fail(
      `${formatShape(a)} × ${formatShape(context.input(1).shape)} (${flags}): ${inner} columns on the left, ${outer} rows on the right`,
      { given: [a, context.input(1).shape] },
    );
  }
  const shape = [rows, columns] as Shape;
  checkAddend(context, shape);
  return [{ dtype, shape }];
}

function orient(shape: Shape, transposed: number): Shape {
  return transposed === 0 ? shape : [...shape].reverse();
}

function checkAddend(context: InferContext<GemmAttributes>, shape: Shape): void {
  const c = context.inputs[2];
  if (c === undefined) return;
  requireSameDType(context, 0, 2);
  const common = broadcastShapes(c.shape, shape);
  const fits =
    common !== undefined &&
    common.length === 2 &&
    c.shape.every((extent, axis) => {
      const target = shape[axis + 2 - c.shape.length];
      return extent === 1 || typeof extent === 'string' || typeof target === 'string' || extent === target;
    });
  if (!fits)
    context.fail(`c of shape ${formatShape(c.shape)} does not broadcast to ${formatShape(shape)}`, { given: c.shape });
}

// da' = α·dy·b'ᵀ, db' = α·a'ᵀ·dy, each transposed where a or b was; dc = β·dy
function gemmGradient({
  builder,
  input,
  inputs,
  outputGradient: dy,
  attributes,
  needs,
}: GradientContext<GemmAttributes>): readonly (Value | undefined)[] {
  const [a, b] = [input(0), input(1)];
  const { alpha, beta, transA, transB } = attributes;
  const product = (left: Value, right: Value, transLeft: number, transRight: number): Value =>
    builder.op('Gemm', [left, right], { alpha, transA: transLeft, transB: transRight });
  const da = (): Value => (transA === 0 ? product(dy, b, 0, 1 - transB) : product(b, dy, transB, 1));
  const db = (): Value => (transB === 0 ? product(a, dy, 1 - transA, 0) : product(dy, a, 1, transA));
  const dc = (): Value => (beta === 1 ? dy : builder.op('Mul', [dy, builder.scalar(beta, dy.dtype)]));
  return [
    needs(0) ? da() : undefined,
    needs(1) ? db() : undefined,
    inputs[2] !== undefined && needs(2) ? dc() : undefined,
  ];
}

function evaluateGemm({ input, inputs, attributes }: EvaluateContext<GemmAttributes>): readonly Tensor[] {
  const { alpha, beta, transA, transB } = attributes;
  const left = transA === 0 ? input(0) : transposeTensor(input(0), [1, 0]);
  const right = transB === 0 ? input(1) : transposeTensor(input(1), [1, 0]);
  const product = scale(matrixProduct(left, right), alpha);
  const c = inputs[2];
  if (c === undefined || beta === 0) return [product];
  return [arithmeticBinary(product, scale(c, beta), { float: (x, y) => x + y, bigint: (x, y) => x + y })];
}

function scale(t: Tensor, factor: number): Tensor {
  if (factor === 1) return t;
  const apply = (x: number, y: number): number => x * y;
  // Integer Gemm takes integer factors only in practice; the product truncates like a cast.
  return arithmeticBinary(t, fullTensor(t.dtype, [], isFloat(t.dtype) ? factor : Math.trunc(factor)), {
    float: apply,
    integer: Math.imul,
    bigint: (x, y) => x * y,
  });
}
