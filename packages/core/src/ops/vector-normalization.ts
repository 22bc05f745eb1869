import type { Value, ValueType } from '../graph/graph.js';
import type { GraphBuilder } from '../graph/graph-builder.js';
import { castTo } from '../graph/shape-ops.js';
import { normalizeAxis } from '../tensor/shape.js';
import { elementCountOf, fromNumbers, type Tensor, toNumbers } from '../tensor/tensor.js';
import type { DecomposeContext, EvaluateContext, GradientContext, InferContext, OpFamily } from './definition.js';
import type { NormalizationAttributes } from './normalization.js';
import { exactly, forEachBroadcast, sameAsFloatInput } from './rules.js';
import { forEachLine } from './softmax.js';

type LpAttributes = NormalizationAttributes['LpNormalization'];
type MeanVarianceAttributes = NormalizationAttributes['MeanVarianceNormalization'];

function inferLp(context: InferContext<LpAttributes>): readonly ValueType[] {
  const { axis, p } = context.attributes;
  const rank = context.input(0).shape.length;
  if (axis < -rank || axis >= rank) {
    context.fail(`axis ${axis} is out of range for rank ${rank}`, { given: axis }, 'invalid-attribute');
  }
  if (p !== 1 && p !== 2)
    context.fail(`p is ${p}; 1 or 2 is needed`, { given: p, allowed: [1, 2] }, 'invalid-attribute');
  return sameAsFloatInput(context);
}

function evaluateLp(context: EvaluateContext<LpAttributes>): readonly Tensor[] {
  const input = context.input(0);
  const x = toNumbers(input);
  const { axis, p } = context.attributes;
  const y = new Float64Array(x.length);
  forEachLine(input.shape, axis, (begin, stride, length) => {
    let sum = 0;
    const end = begin + length * stride;
    for (let at = begin; at < end; at += stride) sum += Math.abs(x[at] as number) ** p;
    const norm = p === 1 ? sum : Math.sqrt(sum);
    if (norm === 0) return;
    for (let at = begin; at < end; at += stride) y[at] = (x[at] as number) / norm;
  });
  return [fromNumbers(input.dtype, input.shape, y)];
}

/** The norm along the axis, 1 in place of 0: a vector of zeros stays one. */
function safeNorm(builder: GraphBuilder, x: Value, { axis, p }: LpAttributes): Value {
  const norm = builder.op(p === 1 ? 'ReduceL1' : 'ReduceL2', [x, builder.integers([axis])], { keepdims: 1 });
  const isZero = builder.op('Equal', [norm, builder.scalar(0, x.dtype)]);
  return builder.op('Where', [isZero, builder.scalar(1, x.dtype), norm]);
}

// p = 2: dx = (dy − y·Σ dy·y)/‖x‖; p = 1: dx = (dy − sign(x)·Σ dy·y)/‖x‖
function lpGradient(context: GradientContext<LpAttributes>): readonly Value[] {
  const { builder, input, outputs, outputGradient: dy, attributes } = context;
  const y = outputs[0] as Value;
  const along = builder.op('ReduceSum', [builder.op('Mul', [dy, y]), builder.integers([attributes.axis])], {
    keepdims: 1,
  });
  const direction = attributes.p === 1 ? builder.op('Sign', [input(0)]) : y;
  const rest = builder.op('Sub', [dy, builder.op('Mul', [direction, along])]);
  return [builder.op('Div', [rest, safeNorm(builder, input(0), attributes)])];
}

const meanVarianceEpsilon = 1e-9;

function inferMeanVariance(context: InferContext<MeanVarianceAttributes>): readonly ValueType[] {
  const rank = context.input(0).shape.length;
  for (const axis of context.attributes.axes) {
    if (axis < -rank || axis >= rank) {
      context.fail(`axis ${axis} is out of range for rank ${rank}`, { given: axis }, 'invalid-attribute');
    }
  }
  return sameAsFloatInput(context);
}

function evaluateMeanVariance(context: EvaluateContext<MeanVarianceAttributes>): readonly Tensor[] {
  const input = context.input(0);
  const x = toNumbers(input);
  const axes = context.attributes.axes.map((axis) => normalizeAxis(axis, input.rank));
  const kept = input.shape.map((extent, axis) => (axes.includes(axis) ? 1 : extent));
  const count = input.elementCount / elementCountOf(kept);
  const average = (term: (at: number, group: number) => number): Float64Array => {
    const sums = new Float64Array(elementCountOf(kept));
    forEachBroadcast(input.shape, [kept], (at, [group]) => {
      sums[group as number] = (sums[group as number] as number) + term(at, group as number);
    });
    return sums.map((sum) => sum / count);
  };
  const mean = average((at) => x[at] as number);
  const variance = average((at, group) => ((x[at] as number) - (mean[group] as number)) ** 2);
  const y = new Float64Array(x.length);
  forEachBroadcast(input.shape, [kept], (at, [group]) => {
    const deviation = Math.sqrt(variance[group as number] as number) + meanVarianceEpsilon;
    y[at] = ((x[at] as number) - (mean[group as number] as number)) / deviation;
  });
  return [fromNumbers(input.dtype, input.shape, y)];
}

/** `c = x − mean`, `σ = √mean(c²)` and `s = σ + 1e−9` as nodes. */
function meanVarianceNodes(builder: GraphBuilder, x: Value, axes: readonly number[]) {
  const over = builder.integers(axes);
  const centred = builder.op('Sub', [x, builder.op('ReduceMean', [x, over], { keepdims: 1 })]);
  const variance = builder.op('ReduceMean', [builder.op('Mul', [centred, centred]), over], { keepdims: 1 });
  const deviation = builder.op('Sqrt', [variance]);
  const shifted = builder.op('Add', [deviation, builder.scalar(meanVarianceEpsilon, x.dtype)]);
  return { over, centred, deviation, shifted };
}

// dx = (dy − mean(dy))/s − c·mean(dy·c)/(σ·s²)
function meanVarianceGradient(context: GradientContext<MeanVarianceAttributes>): readonly Value[] {
  const { builder, input, outputGradient: dy, attributes } = context;
  const { over, centred, deviation, shifted } = meanVarianceNodes(builder, input(0), attributes.axes);
  const mean = (value: Value): Value => builder.op('ReduceMean', [value, over], { keepdims: 1 });
  const first = builder.op('Div', [builder.op('Sub', [dy, mean(dy)]), shifted]);
  const along = mean(builder.op('Mul', [dy, centred]));
  const divisor = builder.op('Mul', [deviation, builder.op('Mul', [shifted, shifted])]);
  return [builder.op('Sub', [first, builder.op('Mul', [centred, builder.op('Div', [along, divisor])])])];
}

/** Normalizations without weights. */
export const vectorNormalization: Pick<
  OpFamily<NormalizationAttributes>,
  'LpNormalization' | 'MeanVarianceNormalization'
> = {
  /** `y = x / ‖x‖_p` along the axis; a vector of zeros stays as it is. */
  LpNormalization: {
    inputs: exactly(1),
    outputs: exactly(1),
    attributes: { axis: { kind: 'int', default: -1 }, p: { kind: 'int', default: 2 } },
    infer: inferLp,
    gradient: lpGradient,
    evaluate: evaluateLp,
    decompose: ({ builder, input, attributes }) => [
      builder.op('Div', [input(0), safeNorm(builder, input(0), attributes)]),
    ],
  },
  /** `y = (x − mean)/(σ + 1e−9)` over `axes`. */
  MeanVarianceNormalization: {
    inputs: exactly(1),
    outputs: exactly(1),
    attributes: { axes: { kind: 'ints', default: [0, 2, 3] } },
    infer: inferMeanVariance,
    gradient: meanVarianceGradient,
    evaluate: evaluateMeanVariance,
    decompose: ({ builder, input, attributes }: DecomposeContext<MeanVarianceAttributes>) => {
      const { centred, shifted } = meanVarianceNodes(builder, input(0), attributes.axes);
      return [castTo(builder, builder.op('Div', [centred, shifted]), input(0).dtype)];
    },
  },
};
