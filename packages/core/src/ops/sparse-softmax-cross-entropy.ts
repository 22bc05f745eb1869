import { modelwrightDomain, type Value, type ValueType } from '../graph/graph.js';
import type { GraphBuilder } from '../graph/graph-builder.js';
import { compatibleDimension, formatShape } from '../tensor/shape.js';
import { fromNumbers, type Tensor, toNumbers } from '../tensor/tensor.js';
import { Algebra } from './algebra.js';
import type {
  DecomposeContext,
  EvaluateContext,
  GradientContext,
  InferContext,
  NoAttributes,
  OpDefinition,
} from './definition.js';
import { exactly, requireDType, requireFloat, requireRank, requireSameDType } from './rules.js';

/**
 * Cross-entropy of softmax with integer labels: `loss_n = ln Σ_c e^(x[n,c]) − x[n, label_n]`, and the probabilities that
 * its gradient needs.
 *
 * `dx[n,c] = (p[n,c] − [c = label_n])·dloss_n`, and for a cotangent of `p` that of the softmax.
 */
export const sparseSoftmaxCrossEntropy: OpDefinition<NoAttributes> = {
  domain: modelwrightDomain,
  inputs: exactly(2),
  outputs: exactly(2),
  attributes: {},
  infer: inferLoss,
  gradient: lossGradient,
  evaluate: evaluateLoss,
  decompose: decomposeLoss,
};

/** `(p, labels, dloss)` → `(p − onehot(labels))·dloss`, the gradient of {@link sparseSoftmaxCrossEntropy}. */
export const sparseSoftmaxCrossEntropyGradient: OpDefinition<NoAttributes> = {
  domain: modelwrightDomain,
  inputs: exactly(3),
  outputs: exactly(1),
  attributes: {},
  infer: (context) => {
    checkLabels(context);
    requireSameDType(context, 0, 2);
    requireRank(context, 2, 1);
    const { dtype, shape } = context.input(0);
    return [{ dtype, shape }];
  },
  // With z the cotangent: dp = z·dloss, d(dloss)_n = Σ_c (p − onehot)·z
  gradient: ({ builder, input, outputGradient: z, needs }) => {
    const f = new Algebra(builder);
    const [p, labels, dloss] = [input(0), input(1), input(2)];
    return [
      needs(0) ? f.mul(z, asColumn(builder, dloss)) : undefined,
      undefined,
      needs(2) ? sumClasses(builder, f.mul(lessOneAtLabels(builder, p, labels), z), 0) : undefined,
    ];
  },
  evaluate: evaluateGradient,
  decompose: ({ builder, input }) => [
    builder.op('Mul', [lessOneAtLabels(builder, input(0), input(1)), asColumn(builder, input(2))]),
  ],
};

function inferLoss(context: InferContext<NoAttributes>): readonly ValueType[] {
  checkLabels(context);
  const { dtype, shape } = context.input(0);
  return [
    { dtype, shape: shape.slice(0, 1) },
    { dtype, shape },
  ];
}

function checkLabels(context: InferContext<NoAttributes>): void {
  requireFloat(context, 0);
  requireRank(context, 0, 2);
  requireRank(context, 1, 1, 'labels');
  requireDType(context, 1, 'int32', 'int64');
  const [scores, labels] = [context.input(0).shape, context.input(1).shape];
  if (!compatibleDimension(scores[0] ?? 0, labels[0] ?? 0)) {
    context.fail(`${formatShape(labels)} labels for scores of shape ${formatShape(scores)}`, { given: labels });
  }
}

function lossGradient(context: GradientContext<NoAttributes>): readonly (Value | undefined)[] {
  const { builder, input, outputs, outputGradients } = context;
  const f = new Algebra(builder);
  const p = outputs[1] as Value;
  const [dloss, dp] = outputGradients;
  const throughLoss =
    dloss === undefined ? undefined : builder.op('SparseSoftmaxCrossEntropyGradient', [p, input(1), dloss]);
  if (dp === undefined) return [throughLoss, undefined];
  const throughSoftmax = f.mul(p, f.sub(dp, sumClasses(builder, f.mul(p, dp), 1)));
  return [throughLoss === undefined ? throughSoftmax : f.add(throughLoss, throughSoftmax), undefined];
}

function evaluateLoss(context: EvaluateContext<NoAttributes>): readonly Tensor[] {
  const x = context.input(0);
  const [count, classes] = x.shape as [number, number];
  const [values, labels] = [toNumbers(x), checkedLabels(context, classes)];
  const losses = new Float64Array(count);
  const probabilities = new Float64Array(count * classes);
  for (let row = 0; row < count; row++) {
    const scores = values.subarray(row * classes, (row + 1) * classes);
    const peak = scores.reduce((largest, next) => Math.max(largest, next), Number.NEGATIVE_INFINITY);
    const sum = scores.reduce((total, next) => total + Math.exp(next - peak), 0);
    losses[row] = Math.log(sum) + peak - (scores[labels[row] as number] as number);
    for (let c = 0; c < classes; c++) probabilities[row * classes + c] = Math.exp((scores[c] as number) - peak) / sum;
  }
  return [fromNumbers(x.dtype, [count], losses), fromNumbers(x.dtype, x.shape, probabilities)];
}

function evaluateGradient(context: EvaluateContext<NoAttributes>): readonly Tensor[] {
  const p = context.input(0);
  const [count, classes] = p.shape as [number, number];
  const [values, labels] = [toNumbers(p).slice(), checkedLabels(context, classes)];
  const dloss = toNumbers(context.input(2));
  for (let row = 0; row < count; row++) {
    const at = row * classes + (labels[row] as number);
    values[at] = (values[at] as number) - 1;
    for (let c = 0; c < classes; c++)
      values[row * classes + c] = (values[row * classes + c] as number) * (dloss[row] as number);
  }
  return [fromNumbers(p.dtype, p.shape, values)];
}

function checkedLabels(context: EvaluateContext<NoAttributes>, classes: number): Float64Array {
  const labels = toNumbers(context.input(1));
  const wrong = labels.findIndex((label) => label < 0 || label >= classes);
  if (wrong >= 0) {
    context.fail(
      `label ${labels[wrong]} of sample ${wrong} is out of range; there are ${classes} classes`,
      { given: labels[wrong], allowed: classes },
      'value-out-of-range',
    );
  }
  return labels;
}

function decomposeLoss({ builder, input }: DecomposeContext<NoAttributes>): readonly Value[] {
  const f = new Algebra(builder);
  const x = input(0);
  const shifted = f.sub(x, builder.op('ReduceMax', [x, builder.integers([1])], { keepdims: 1 }));
  const exponentials = f.exp(shifted);
  const sum = sumClasses(builder, exponentials, 1);
  const picked = builder.op('GatherElements', [shifted, asColumn(builder, input(1))], { axis: 1 });
  const loss = builder.op('Squeeze', [f.sub(f.log(sum), picked), builder.integers([1])]);
  return [loss, f.div(exponentials, sum)];
}

/** `p − onehot(labels)` along axis 1; `labels` lack that axis. Reads and writes one element a sample. */
export function lessOneAtLabels(builder: GraphBuilder, p: Value, labels: Value): Value {
  const places = asColumn(builder, labels);
  const picked = builder.op('GatherElements', [p, places], { axis: 1 });
  const less = builder.op('Sub', [picked, builder.scalar(1, p.dtype)]);
  return builder.op('ScatterElements', [p, places, less], { axis: 1 });
}

/** The value with an axis of extent 1 put in at place 1. */
export function asColumn(builder: GraphBuilder, value: Value): Value {
  return builder.op('Unsqueeze', [value, builder.integers([1])]);
}

/** `Σ` over axis 1. */
export function sumClasses(builder: GraphBuilder, value: Value, keepdims: 0 | 1): Value {
  return builder.op('ReduceSum', [value, builder.integers([1])], { keepdims });
}
