import type { Value, ValueType } from '../graph/graph.js';
import type { GraphBuilder } from '../graph/graph-builder.js';
import { compatibleShape, concreteShape, formatShape, type Shape } from '../tensor/shape.js';
import { fromNumbers, fullTensor, type Tensor, toNumbers, zeros } from '../tensor/tensor.js';
import { Algebra } from './algebra.js';
import type { DecomposeContext, EvaluateContext, GradientContext, InferContext, OpDefinition } from './definition.js';
import { logSoftmax } from './log-softmax-kernel.js';
import type { LikelihoodAttributes } from './loss.js';
import { between, exactly, requireDType, requireFloat, requireRank, requireSameDType } from './rules.js';
import { asColumn, lessOneAtLabels, sumClasses } from './sparse-softmax-cross-entropy.js';

const attributes = {
  reduction: { kind: 'string', default: 'mean' },
  ignore_index: { kind: 'int' },
} as const;

/**
 * `NegativeLogLikelihoodLoss` of log-probabilities `[n, classes, …]` and labels `[n, …]`:
 * `l_i = −w[label_i]·x[i, label_i]`, then all of them, their sum, or their sum over the sum of the weights.
 *
 * `dx[i, label_i] = −w[label_i]·dl_i`, 0 elsewhere.
 */
export const negativeLogLikelihoodLoss: OpDefinition<LikelihoodAttributes> = {
  inputs: between(2, 3),
  outputs: exactly(1),
  attributes,
  infer: (context) => [inferLikelihood(context)],
  gradient: (context) => {
    const parts = sampleParts(context);
    const dx = context.needs(0) ? scatterToLabels(context, parts) : undefined;
    return [dx, undefined, weightGradient(context, parts, context.input(0))];
  },
  evaluate: (context) => [likelihood(context, context.input(0))],
  decompose: (context) => [decomposeLikelihood(context, context.input(0))],
};

/**
 * `SoftmaxCrossEntropyLoss`: {@link negativeLogLikelihoodLoss} of `logSoftmax(scores)` along axis 1, which is the
 * optional second output.
 *
 * `dx = (softmax(x) − onehot(label))·w[label]·dl`, and for a cotangent `z` of the log-probabilities `z − softmax(x)·Σ_c z`.
 */
export const softmaxCrossEntropyLoss: OpDefinition<LikelihoodAttributes> = {
  inputs: between(2, 3),
  outputs: between(1, 2),
  attributes,
  infer: (context) => {
    const { dtype, shape } = context.input(0);
    return [inferLikelihood(context), { dtype, shape }];
  },
  gradient: crossEntropyGradient,
  evaluate: (context) => {
    const logProbabilities = logSoftmax(context.input(0));
    return [likelihood(context, logProbabilities), logProbabilities];
  },
  decompose: (context) => {
    const logProbabilities = context.builder.op('LogSoftmax', [context.input(0)], { axis: 1 });
    return [decomposeLikelihood(context, logProbabilities), logProbabilities];
  },
};

function inferLikelihood(context: InferContext<LikelihoodAttributes>): ValueType {
  requireFloat(context, 0);
  requireDType(context, 1, 'int32', 'int64');
  const { reduction } = context.attributes;
  if (!['none', 'mean', 'sum'].includes(reduction)) {
    context.fail(
      `reduction is '${reduction}'; none, mean or sum is needed`,
      { given: reduction, allowed: ['none', 'mean', 'sum'] },
      'invalid-attribute',
    );
  }
  const { dtype, shape } = context.input(0);
  const labels = context.input(1).shape;
  if (shape.length < 2)
    context.fail(`scores have shape ${formatShape(shape)}; [n, classes, …] is needed`, { given: shape });
  const expected: Shape = [...shape.slice(0, 1), ...shape.slice(2)];
  if (!compatibleShape(labels, expected)) {
    context.fail(
      `labels have shape ${formatShape(labels)}; scores ${formatShape(shape)} need ${formatShape(expected)}`,
      {
        given: labels,
        allowed: expected,
      },
    );
  }
  if (context.inputs[2] !== undefined) {
    requireSameDType(context, 0, 2);
    requireRank(context, 2, 1, 'class weights');
  }
  return { dtype, shape: reduction === 'none' ? labels : [] };
}

function likelihood(context: EvaluateContext<LikelihoodAttributes>, logProbabilities: Tensor): Tensor {
  const { reduction, ignore_index: ignored } = context.attributes;
  const [x, labels] = [toNumbers(logProbabilities), toNumbers(context.input(1))];
  const weights = context.inputs[2] === undefined ? undefined : toNumbers(context.inputs[2]);
  const classes = logProbabilities.shape[1] as number;
  const inner = logProbabilities.shape.slice(2).reduce((product, extent) => product * extent, 1);
  const losses = new Float64Array(labels.length);
  let total = 0;
  for (let at = 0; at < labels.length; at++) {
    const label = labels[at] as number;
    if (label === ignored) continue;
    if (label < 0 || label >= classes) failAtLabel(context, at, classes);
    const weight = weights === undefined ? 1 : (weights[label] as number);
    const sample = Math.floor(at / inner);
    losses[at] = -weight * (x[(sample * classes + label) * inner + (at % inner)] as number);
    total += weight;
  }
  if (reduction === 'none') return fromNumbers(logProbabilities.dtype, context.input(1).shape, losses);
  const sum = losses.reduce((left, right) => left + right, 0);
  return fromNumbers(logProbabilities.dtype, [], new Float64Array([reduction === 'mean' ? sum / total : sum]));
}

function failAtLabel(context: EvaluateContext<LikelihoodAttributes>, at: number, classes: number): never {
  const label = toNumbers(context.input(1))[at];
  return context.fail(
    `label ${label} at ${at} is out of range; there are ${classes} classes`,
    { given: label, allowed: classes },
    'value-out-of-range',
  );
}

/** What the rules need of each sample. */
interface SampleParts {
  /** Labels with 0 in place of the ignored one. */
  readonly labels: Value;
  /** Weight of each sample, 0 where ignored; undefined if all are 1. */
  readonly weights: Value | undefined;
  readonly isIgnored: Value | undefined;
}

function sampleParts(
  context: GradientContext<LikelihoodAttributes> | DecomposeContext<LikelihoodAttributes>,
): SampleParts {
  const { builder, attributes, inputs } = context;
  const f = new Algebra(builder);
  const given = context.input(1);
  const ignored = attributes.ignore_index;
  const isIgnored = ignored === undefined ? undefined : f.equal(given, ignored);
  const labels = isIgnored === undefined ? given : f.where(isIgnored, 0, given);
  const { dtype } = context.input(0);
  const own = inputs[2] === undefined ? undefined : builder.op('Gather', [inputs[2], labels], { axis: 0 });
  const weights = isIgnored === undefined ? own : f.where(isIgnored, 0, own ?? builder.scalar(1, dtype));
  return { labels, weights, isIgnored };
}

function decomposeLikelihood(context: DecomposeContext<LikelihoodAttributes>, logProbabilities: Value): Value {
  const { builder, attributes } = context;
  const f = new Algebra(builder);
  const { labels, weights } = sampleParts(context);
  const plain = f.neg(pickLabels(builder, logProbabilities, labels));
  const losses = weights === undefined ? plain : f.mul(plain, weights);
  if (attributes.reduction === 'none') return losses;
  if (attributes.reduction === 'mean' && weights === undefined) {
    return builder.op('ReduceMean', [losses], { keepdims: 0 });
  }
  const sum = builder.op('ReduceSum', [losses], { keepdims: 0 });
  return attributes.reduction === 'sum' ? sum : f.div(sum, sumAll(builder, weights as Value));
}

function sumAll(builder: GraphBuilder, value: Value): Value {
  return builder.op('ReduceSum', [value], { keepdims: 0 });
}

/** `x[i, label_i]` */
function pickLabels(builder: GraphBuilder, x: Value, labels: Value): Value {
  const picked = builder.op('GatherElements', [x, asColumn(builder, labels)], { axis: 1 });
  return builder.op('Squeeze', [picked, builder.integers([1])]);
}

// Cotangent of each l_i/w_i: dy, over the sum of the weights for a mean.
function sampleCotangent(context: GradientContext<LikelihoodAttributes>, { weights }: SampleParts): Value {
  const { builder, attributes, outputGradient: dy } = context;
  if (attributes.reduction !== 'mean') return dy;
  const f = new Algebra(builder);
  return f.div(dy, weights === undefined ? labelCount(context) : sumAll(builder, weights));
}

function labelCount(context: GradientContext<LikelihoodAttributes>): number {
  return concreteShape(context.input(1).shape, 'labels').reduce((product, extent) => product * extent, 1);
}

// w_i·dl_i with an axis for the classes.
function weightedCotangent(context: GradientContext<LikelihoodAttributes>, parts: SampleParts): Value {
  const { builder } = context;
  const labels = context.input(1);
  const { dtype } = context.input(0);
  const ones = (): Value =>
    builder.constant(fullTensor(dtype, concreteShape(labels.shape, 'labels'), 1), { name: 'ones' });
  const spread = builder.op('Mul', [sampleCotangent(context, parts), parts.weights ?? ones()]);
  return asColumn(builder, spread);
}

function scatterToLabels(context: GradientContext<LikelihoodAttributes>, parts: SampleParts): Value {
  const { builder } = context;
  const x = context.input(0);
  const target = builder.constant(zeros(x.dtype, concreteShape(x.shape, `'${x.name}'`)), { name: 'zeros' });
  const updates = builder.op('Neg', [weightedCotangent(context, parts)]);
  return builder.op('ScatterElements', [target, asColumn(builder, parts.labels), updates], { axis: 1 });
}

function crossEntropyGradient(context: GradientContext<LikelihoodAttributes>): readonly (Value | undefined)[] {
  const { builder, outputs, outputGradients } = context;
  const f = new Algebra(builder);
  const logProbabilities = outputs[1] ?? builder.op('LogSoftmax', [context.input(0)], { axis: 1 });
  const p = f.exp(logProbabilities);
  const parts = sampleParts(context);
  const [dloss, z] = outputGradients;
  const throughLoss =
    dloss === undefined
      ? undefined
      : f.mul(lessOneAtLabels(builder, p, parts.labels), weightedCotangent(context, parts));
  const throughLogs = z === undefined ? undefined : f.sub(z, f.mul(p, sumClasses(builder, z, 1)));
  const dx =
    throughLoss !== undefined && throughLogs !== undefined
      ? f.add(throughLoss, throughLogs)
      : (throughLoss ?? throughLogs);
  return [dx, undefined, weightGradient(context, parts, logProbabilities)];
}

// dw[c] = Σ over samples of class c of −x[i,c]·dl_i, and for a mean (−x[i,c] − y)·dy/Σw.
function weightGradient(
  context: GradientContext<LikelihoodAttributes>,
  parts: SampleParts,
  logProbabilities: Value,
): Value | undefined {
  const { builder, inputs, outputs, attributes } = context;
  if (inputs[2] === undefined || !context.needs(2)) return undefined;
  const f = new Algebra(builder);
  const plain = f.neg(pickLabels(builder, logProbabilities, parts.labels));
  const centred = attributes.reduction === 'mean' ? f.sub(plain, outputs[0] as Value) : plain;
  const each = f.mul(centred, sampleCotangent(context, parts));
  const counted = parts.isIgnored === undefined ? each : f.where(parts.isIgnored, 0, each);
  const target = builder.constant(zeros(inputs[2].dtype, concreteShape(inputs[2].shape, 'class weights')), {
    name: 'zeros',
  });
  const flat = (value: Value): Value => builder.op('Reshape', [value, builder.integers([-1])]);
  return builder.op('ScatterElements', [target, flat(parts.labels), flat(counted)], { axis: 0, reduction: 'add' });
}
