import type { Node, Value } from '../graph/graph.js';
import type { GraphBuilder } from '../graph/graph-builder.js';
import { reshapeTo, transposed } from '../graph/shape-ops.js';
import { sameShape } from '../tensor/shape.js';
import { type Tensor, toNumbers } from '../tensor/tensor.js';
import { type Lifted, mergeBatch } from './lifting.js';

/** What summing may ask about the values of a loop's body. */
export interface SumContext {
  readonly builder: GraphBuilder;
  readonly steps: number;
  /** A value seen from outside. */
  readonly lift: (value: Value) => Lifted;
  /** The node that makes a value, if nothing else holds it at all steps yet. */
  readonly makerOf: (value: Value) => Node | undefined;
  readonly constantOf: (value: Value) => Tensor | undefined;
  readonly isVarying: (value: Value) => boolean;
}

type SumRule = (context: SumContext, node: Node) => Value | undefined;

/**
 * `Σ_t v[t]` of a value of a loop's body. Linear ops are applied to the sum of what they are made of, and a sum of products is one
 * product of longer matrices: `Σ_t a[t]ᵀ·b[t] = aᵀ·b` with the rows of all steps below each other.
 */
export function sumOverSteps(context: SumContext, value: Value): Value {
  const { builder, lift, steps, isVarying } = context;
  if (!isVarying(value)) return builder.op('Mul', [lift(value).value, builder.scalar(steps, value.dtype)]);
  const node = context.makerOf(value);
  const pushed = node === undefined || node.domain !== '' ? ownDomain(context, node) : rules[node.op]?.(context, node);
  return pushed ?? builder.op('ReduceSum', [lift(value).value, builder.integers([0])], { keepdims: 0 });
}

function ownDomain(context: SumContext, node: Node | undefined): Value | undefined {
  return node?.op === 'ConvWeightGradient' ? sumConvolution(context, node) : undefined;
}

const shapeOf = (node: Node): readonly number[] => (node.outputs[0] as Value).shape as readonly number[];
const isWhole = (node: Node, value: Value): boolean => sameShape(value.shape, shapeOf(node));

const sumReshape: SumRule = (context, node) => {
  if (node.inputs.slice(1).some((input) => input !== undefined && context.isVarying(input))) return undefined;
  return reshapeTo(context.builder, sumOverSteps(context, node.inputs[0] as Value), shapeOf(node));
};

const sumTranspose: SumRule = (context, node) => {
  const rank = shapeOf(node).length;
  const perm = (node.attributes['perm'] as readonly number[] | undefined) ?? [...Array(rank).keys()].reverse();
  return transposed(context.builder, sumOverSteps(context, node.inputs[0] as Value), perm);
};

// Terms that are broadcast would have to be counted first.
const sumTerms: SumRule = (context, node) => {
  const [a, b] = node.inputs as readonly [Value, Value];
  if (!isWhole(node, a) || !isWhole(node, b)) return undefined;
  return context.builder.op(node.op as 'Add' | 'Sub', [sumOverSteps(context, a), sumOverSteps(context, b)]);
};

const sumScaled: SumRule = (context, node) => {
  const { builder, isVarying, lift } = context;
  const [a, b] = node.inputs as readonly [Value, Value];
  if (isVarying(a) === isVarying(b)) return undefined;
  const [varying, factor] = isVarying(a) ? [a, b] : [b, a];
  return isWhole(node, varying) ? builder.op('Mul', [sumOverSteps(context, varying), lift(factor).value]) : undefined;
};

const sumConcat: SumRule = (context, node) => {
  const parts = node.inputs.map((input) => sumOverSteps(context, input as Value));
  return context.builder.op('Concat', parts, { axis: node.attributes['axis'] as number });
};

// The axis of steps is one more to sum over.
const sumReduced: SumRule = (context, node) => {
  const { builder, lift, constantOf } = context;
  const [data, axesInput] = node.inputs as readonly [Value, Value | undefined];
  const held = axesInput === undefined ? undefined : constantOf(axesInput);
  if (axesInput !== undefined && held === undefined) return undefined;
  if (held === undefined && node.attributes['noop_with_empty_axes'] === 1) return undefined;
  const rank = data.shape.length;
  const axes = held === undefined ? data.shape.map((_, axis) => axis) : [...toNumbers(held)];
  const all = builder.integers([0, ...axes.map((axis) => (axis < 0 ? axis + rank : axis) + 1)]);
  const { value, isStacked } = lift(data);
  if (!isStacked) return undefined;
  return reshapeTo(builder, builder.op('ReduceSum', [value, all], { keepdims: 0 }), shapeOf(node));
};

const sumProduct: SumRule = (context, node) => {
  const { builder, isVarying, lift } = context;
  const [a, b, c] = node.inputs as readonly [Value, Value, Value | undefined];
  const { transA = 0, transB = 0, alpha = 1 } = node.attributes as { transA?: number; transB?: number; alpha?: number };
  if (a.shape.length !== 2 || b.shape.length !== 2 || c !== undefined) return undefined;
  const gemm = (left: Value, right: Value, flags: { transA: number; transB: number }): Value =>
    builder.op('Gemm', [left, right], { ...flags, alpha });
  if (!isVarying(b)) return gemm(sumOverSteps(context, a), lift(b).value, { transA, transB });
  if (!isVarying(a)) return gemm(lift(a).value, sumOverSteps(context, b), { transA, transB });
  // Along the axis that is summed the steps stand below each other: [steps · inner, …]
  const flat = (value: Value, isInnerLast: boolean): Value => {
    const stacked = lift(value).value;
    return mergeBatch(builder, isInnerLast ? transposed(builder, stacked, [0, 2, 1]) : stacked);
  };
  return gemm(flat(a, transA === 0), flat(b, transB === 1), { transA: 1, transB: 0 });
};

function sumConvolution(context: SumContext, node: Node): Value | undefined {
  const { builder, lift, isVarying } = context;
  const [x, dy] = node.inputs as readonly [Value, Value];
  if (!isVarying(x) || !isVarying(dy)) return undefined;
  const inputs = [x, dy].map((value) => mergeBatch(builder, lift(value).value));
  return builder.anyNode({ ...node, inputs }, node.outputs)[0];
}

const rules: { readonly [op: string]: SumRule | undefined } = {
  Identity: (context, node) => sumOverSteps(context, node.inputs[0] as Value),
  Neg: (context, node) => context.builder.op('Neg', [sumOverSteps(context, node.inputs[0] as Value)]),
  Reshape: sumReshape,
  Squeeze: sumReshape,
  Unsqueeze: sumReshape,
  Transpose: sumTranspose,
  Add: sumTerms,
  Sub: sumTerms,
  Mul: sumScaled,
  Concat: sumConcat,
  ReduceSum: sumReduced,
  MatMul: sumProduct,
  Gemm: sumProduct,
};
