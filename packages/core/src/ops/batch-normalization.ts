import type { Value, ValueType } from '../graph/graph.js';
import { modelwrightDomain } from '../graph/graph.js';
import type { GraphBuilder } from '../graph/graph-builder.js';
import { castTo } from '../graph/shape-ops.js';
import { isFloat } from '../tensor/dtype.js';
import { compatibleShape, concreteShape, type Dimension, formatShape } from '../tensor/shape.js';
import { elementCountOf, fromNumbers, type Tensor, toNumbers } from '../tensor/tensor.js';
import { alongChannels, sumToChannels } from './channel-nodes.js';
import type { DecomposeContext, EvaluateContext, GradientContext, InferContext, OpFamily } from './definition.js';
import type { NormalizationAttributes } from './normalization.js';
import { between, exactly, requireFloat } from './rules.js';

type Attributes = NormalizationAttributes['BatchNormalization'];
type EpsilonAttributes = { epsilon: number };

// Each of the inputs after x is one number a channel.
function checkChannels(context: InferContext<object>, names: readonly string[], first = 1): void {
  const x = context.input(first - 1);
  requireFloat(context, first - 1);
  if (x.shape.length < 2)
    context.fail(`input ${formatShape(x.shape)} must be [batch, channels, …]`, { given: x.shape });
  names.forEach((name, index) => {
    const { dtype, shape } = context.input(index + first);
    if (!isFloat(dtype)) context.fail(`${name} is ${dtype}; a float is needed`, { given: dtype }, 'dtype-mismatch');
    const channels = [x.shape[1] as Dimension];
    if (!compatibleShape(shape, channels)) {
      context.fail(
        `${name} has shape ${formatShape(shape)}; input ${formatShape(x.shape)} needs ${formatShape(channels)}`,
        {
          given: shape,
          allowed: channels,
        },
      );
    }
  });
}

function inferBatchNormalization(context: InferContext<Attributes>): readonly ValueType[] {
  checkChannels(context, ['scale', 'bias', 'mean', 'variance']);
  const { dtype, shape } = context.input(0);
  if (context.attributes.training_mode === 0) {
    if (context.outputCount > 1) {
      context.fail('has one output unless training_mode is 1', { given: context.outputCount }, 'invalid-graph');
    }
    return [{ dtype, shape }];
  }
  const statistics = { dtype: context.input(3).dtype, shape: context.input(3).shape };
  return [{ dtype, shape }, statistics, statistics];
}

/** Extents of `[batch, channels, …]` as three numbers. */
function planesOf(shape: readonly number[]): { batch: number; channels: number; span: number } {
  return { batch: shape[0] as number, channels: shape[1] as number, span: elementCountOf(shape.slice(2)) };
}

function forEachPlane(shape: readonly number[], visit: (channel: number, begin: number, end: number) => void): void {
  const { batch, channels, span } = planesOf(shape);
  for (let plane = 0; plane < batch * channels; plane++) visit(plane % channels, plane * span, (plane + 1) * span);
}

/** `Σ term(i)` over batch and places, a number a channel. */
function channelSums(shape: readonly number[], term: (at: number, channel: number) => number): Float64Array {
  const sums = new Float64Array(planesOf(shape).channels);
  forEachPlane(shape, (channel, begin, end) => {
    let sum = 0;
    for (let at = begin; at < end; at++) sum += term(at, channel);
    sums[channel] = (sums[channel] as number) + sum;
  });
  return sums;
}

interface Statistics {
  readonly mean: Float64Array;
  readonly variance: Float64Array;
}

/** Mean and population variance of each channel over batch and places. */
function statisticsOf(shape: readonly number[], x: Float64Array): Statistics {
  const { batch, span } = planesOf(shape);
  const mean = channelSums(shape, (at) => x[at] as number).map((sum) => sum / (batch * span));
  const squares = channelSums(shape, (at, channel) => ((x[at] as number) - (mean[channel] as number)) ** 2);
  return { mean, variance: squares.map((sum) => sum / (batch * span)) };
}

interface Affine extends Statistics {
  readonly scale: Float64Array;
  readonly bias: Float64Array;
  readonly epsilon: number;
}

function normalized(shape: readonly number[], x: Float64Array, affine: Affine): Float64Array {
  const y = new Float64Array(x.length);
  forEachPlane(shape, (channel, begin, end) => {
    const factor = (affine.scale[channel] as number) / Math.sqrt((affine.variance[channel] as number) + affine.epsilon);
    const [mean, bias] = [affine.mean[channel] as number, affine.bias[channel] as number];
    for (let at = begin; at < end; at++) y[at] = ((x[at] as number) - mean) * factor + bias;
  });
  return y;
}

function evaluateBatchNormalization(context: EvaluateContext<Attributes>): readonly Tensor[] {
  const { epsilon, momentum, training_mode } = context.attributes;
  const input = context.input(0);
  const x = toNumbers(input);
  const [scale, bias, mean, variance] = [1, 2, 3, 4].map((index) => toNumbers(context.input(index))) as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  if (training_mode === 0) {
    return [
      fromNumbers(input.dtype, input.shape, normalized(input.shape, x, { scale, bias, mean, variance, epsilon })),
    ];
  }
  const batch = statisticsOf(input.shape, x);
  const running = (old: Float64Array, now: Float64Array, index: number): Tensor => {
    const { dtype, shape } = context.input(index);
    const next = old.map((each, channel) => each * momentum + (now[channel] as number) * (1 - momentum));
    return fromNumbers(dtype, shape, next);
  };
  return [
    fromNumbers(input.dtype, input.shape, normalized(input.shape, x, { scale, bias, ...batch, epsilon })),
    running(mean, batch.mean, 3),
    running(variance, batch.variance, 4),
  ];
}

/** `1 / √(variance + ε)`, a number a channel. */
function inverseDeviation(builder: GraphBuilder, variance: Value, epsilon: number): Value {
  const shifted = builder.op('Add', [variance, builder.scalar(epsilon, variance.dtype)]);
  return builder.op('Reciprocal', [builder.op('Sqrt', [shifted])]);
}

// With r = 1/√(v + ε): dx = dy·s·r, ds = Σ dy·(x − m)·r, db = Σ dy, dm = −s·r·db, dv = −s·r²/2·ds
function inferenceGradient(context: GradientContext<Attributes>): readonly (Value | undefined)[] {
  const { builder, input, needs, outputGradient, attributes } = context;
  const { dtype } = input(1);
  const [scale, mean, variance] = [input(1), castTo(builder, input(3), dtype), castTo(builder, input(4), dtype)];
  const x = castTo(builder, input(0), dtype);
  const dy = castTo(builder, outputGradient, dtype);
  const r = inverseDeviation(builder, variance, attributes.epsilon);
  const sr = builder.op('Mul', [scale, r]);
  const dbias = (): Value => sumToChannels(builder, dy);
  const dscale = (): Value => {
    const centred = builder.op('Sub', [x, alongChannels(builder, mean, x)]);
    return builder.op('Mul', [sumToChannels(builder, builder.op('Mul', [dy, centred])), r]);
  };
  const dx = needs(0) ? builder.op('Mul', [dy, alongChannels(builder, sr, x)]) : undefined;
  const back = (value: Value, index: number): Value => castTo(builder, value, input(index).dtype);
  const dvariance = (): Value => {
    const half = builder.op('Mul', [builder.op('Mul', [sr, r]), builder.scalar(-0.5, dtype)]);
    return builder.op('Mul', [half, dscale()]);
  };
  return [
    dx && back(dx, 0),
    needs(1) ? dscale() : undefined,
    needs(2) ? back(dbias(), 2) : undefined,
    needs(3) ? back(builder.op('Neg', [builder.op('Mul', [sr, dbias()])]), 3) : undefined,
    needs(4) ? back(dvariance(), 4) : undefined,
  ];
}

// running' = running·momentum + statistic·(1 − momentum)
function trainingModeGradient(context: GradientContext<Attributes>): readonly (Value | undefined)[] {
  const { builder, input, outputGradients, attributes } = context;
  const { momentum, epsilon } = attributes;
  const weighted = (gradient: Value | undefined, weight: number): Value | undefined =>
    gradient && builder.op('Mul', [gradient, builder.scalar(weight, gradient.dtype)]);
  const statistics = outputGradients.slice(1, 3).map((gradient) => weighted(gradient, 1 - momentum));
  const batch = builder.node('BatchNormalizationTraining', [input(0), input(1), input(2)], { epsilon });
  const gradients = throughStatistics({ ...context, outputs: batch }, [outputGradients[0], ...statistics]);
  return [...gradients, weighted(outputGradients[1], momentum), weighted(outputGradients[2], momentum)];
}

// Inputs (x, scale, bias), outputs (y, mean, variance). Beyond what y gives, dmean adds dmean/m and dvariance 2·(x − mean)·dvariance/m.
function throughStatistics(
  context: GradientContext<EpsilonAttributes>,
  [dy, dmean, dvariance]: readonly (Value | undefined)[],
): readonly (Value | undefined)[] {
  const { builder, input, outputs, attributes } = context;
  const [x, mean, variance] = [input(0), outputs[1] as Value, outputs[2] as Value];
  const shape = concreteShape(x.shape, 'the input of BatchNormalization');
  const share = 1 / (elementCountOf(shape) / (shape[1] as number));
  const [dx, dscale, dbias] =
    dy === undefined
      ? []
      : builder.node('BatchNormalizationGradient', [dy, x, input(1), mean, variance], { epsilon: attributes.epsilon });
  const parts = [dx];
  if (dmean !== undefined) {
    parts.push(alongChannels(builder, builder.op('Mul', [dmean, builder.scalar(share, x.dtype)]), x));
  }
  if (dvariance !== undefined) {
    const centred = builder.op('Sub', [x, alongChannels(builder, mean, x)]);
    const factor = builder.op('Mul', [dvariance, builder.scalar(2 * share, x.dtype)]);
    parts.push(builder.op('Mul', [centred, alongChannels(builder, factor, x)]));
  }
  const given = parts.filter((part) => part !== undefined);
  const total = given.reduce<Value | undefined>(
    (sum, part) => (sum === undefined ? part : builder.op('Add', [sum, part])),
    undefined,
  );
  // A mean alone reaches x as one number a channel.
  const whole = total && builder.op('Expand', [total, builder.integers(shape)]);
  return [dx === undefined ? whole : total, dscale, dbias];
}

function batchNormalizationGradient(context: GradientContext<Attributes>): readonly (Value | undefined)[] {
  return context.attributes.training_mode === 0 ? inferenceGradient(context) : trainingModeGradient(context);
}

// y = x·f + (b − m·f), f = s/√(v + ε)
function decomposeInference(context: DecomposeContext<Attributes>): readonly Value[] {
  const { builder, input, attributes } = context;
  const { dtype } = input(1);
  const [mean, variance] = [castTo(builder, input(3), dtype), castTo(builder, input(4), dtype)];
  const x = castTo(builder, input(0), dtype);
  const factor = builder.op('Mul', [input(1), inverseDeviation(builder, variance, attributes.epsilon)]);
  const offset = builder.op('Sub', [input(2), builder.op('Mul', [mean, factor])]);
  const scaled = builder.op('Mul', [x, alongChannels(builder, factor, x)]);
  const y = builder.op('Add', [scaled, alongChannels(builder, offset, x)]);
  return [castTo(builder, y, input(0).dtype)];
}

function decomposeTrainingMode(context: DecomposeContext<Attributes>): readonly Value[] {
  const { builder, input, attributes, outputCount } = context;
  const { momentum, epsilon } = attributes;
  const [y, mean, variance] = builder.node('BatchNormalizationTraining', [input(0), input(1), input(2)], {
    epsilon,
  }) as readonly [Value, Value, Value];
  const running = (old: Value, now: Value): Value => {
    const kept = builder.op('Mul', [old, builder.scalar(momentum, old.dtype)]);
    const added = builder.op('Mul', [castTo(builder, now, old.dtype), builder.scalar(1 - momentum, old.dtype)]);
    return builder.op('Add', [kept, added]);
  };
  return [y, running(input(3), mean), running(input(4), variance)].slice(0, outputCount);
}

function decomposeBatchNormalization(context: DecomposeContext<Attributes>): readonly Value[] {
  return context.attributes.training_mode === 0 ? decomposeInference(context) : decomposeTrainingMode(context);
}

function inferTraining(context: InferContext<EpsilonAttributes>): readonly ValueType[] {
  checkChannels(context, ['scale', 'bias']);
  const { dtype, shape } = context.input(0);
  const statistics = { dtype, shape: [shape[1] as Dimension] };
  return [{ dtype, shape }, statistics, statistics];
}

function evaluateTraining(context: EvaluateContext<EpsilonAttributes>): readonly Tensor[] {
  const input = context.input(0);
  const x = toNumbers(input);
  const statistics = statisticsOf(input.shape, x);
  const [scale, bias] = [toNumbers(context.input(1)), toNumbers(context.input(2))];
  const y = normalized(input.shape, x, { scale, bias, ...statistics, epsilon: context.attributes.epsilon });
  const channels = [input.shape[1] as number];
  return [
    fromNumbers(input.dtype, input.shape, y),
    fromNumbers(input.dtype, channels, statistics.mean),
    fromNumbers(input.dtype, channels, statistics.variance),
  ];
}

// Two passes over x: centring before squaring is what keeps float32 exact enough.
function decomposeTraining(context: DecomposeContext<EpsilonAttributes>): readonly Value[] {
  const { builder, input, attributes } = context;
  const x = input(0);
  const axes = builder.integers(x.shape.flatMap((_, axis) => (axis === 1 ? [] : [axis])));
  const keep = { keepdims: 1 };
  const mean = builder.op('ReduceMean', [x, axes], keep);
  const centred = builder.op('Sub', [x, mean]);
  const variance = builder.op('ReduceMean', [builder.op('Mul', [centred, centred]), axes], keep);
  const channels = builder.integers([-1]);
  const flat = (statistic: Value): Value => builder.op('Reshape', [statistic, channels]);
  const scale = alongChannels(builder, castTo(builder, input(1), x.dtype), x);
  const bias = alongChannels(builder, castTo(builder, input(2), x.dtype), x);
  const deviation = builder.op('Sqrt', [builder.op('Add', [variance, builder.scalar(attributes.epsilon, x.dtype)])]);
  const y = builder.op('Add', [builder.op('Mul', [centred, builder.op('Div', [scale, deviation])]), bias]);
  return [y, flat(mean), flat(variance)].slice(0, context.outputCount);
}

function inferGradient(context: InferContext<EpsilonAttributes>): readonly ValueType[] {
  checkChannels(context, ['scale', 'mean', 'variance'], 2);
  const x = context.input(1);
  const channels = { dtype: context.input(2).dtype, shape: context.input(2).shape };
  return [{ dtype: x.dtype, shape: x.shape }, channels, channels];
}

// With x̂ = (x − m)·r, r = 1/√(v + ε): db = Σ dy, ds = Σ dy·x̂, dx = s·r·(dy − (db + x̂·ds)/count)
function evaluateGradient(context: EvaluateContext<EpsilonAttributes>): readonly Tensor[] {
  const input = context.input(1);
  const [dy, x, scale, mean, variance] = [0, 1, 2, 3, 4].map((index) => toNumbers(context.input(index))) as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const { shape } = input;
  const r = variance.map((each) => 1 / Math.sqrt(each + context.attributes.epsilon));
  const xHat = (at: number, channel: number): number =>
    ((x[at] as number) - (mean[channel] as number)) * (r[channel] as number);
  const dbias = channelSums(shape, (at) => dy[at] as number);
  const dscale = channelSums(shape, (at, channel) => (dy[at] as number) * xHat(at, channel));
  const { batch, span } = planesOf(shape);
  const dx = new Float64Array(x.length);
  forEachPlane(shape, (c, begin, end) => {
    const factor = (scale[c] as number) * (r[c] as number);
    for (let at = begin; at < end; at++) {
      const shared = ((dbias[c] as number) + xHat(at, c) * (dscale[c] as number)) / (batch * span);
      dx[at] = factor * ((dy[at] as number) - shared);
    }
  });
  const channels = context.input(2);
  return [
    fromNumbers(input.dtype, shape, dx),
    fromNumbers(channels.dtype, channels.shape, dscale),
    fromNumbers(channels.dtype, channels.shape, dbias),
  ];
}

function decomposeGradient(context: DecomposeContext<EpsilonAttributes>): readonly Value[] {
  const { builder, input, attributes, outputCount } = context;
  const [dy, x] = [input(0), input(1)];
  const [scale, mean, variance] = [2, 3, 4].map((index) => castTo(builder, input(index), x.dtype)) as [
    Value,
    Value,
    Value,
  ];
  const shape = concreteShape(x.shape, 'the input of BatchNormalization');
  const share = builder.scalar((shape[1] as number) / elementCountOf(shape), x.dtype);
  const r = inverseDeviation(builder, variance, attributes.epsilon);
  const centred = builder.op('Sub', [x, alongChannels(builder, mean, x)]);
  const xHat = builder.op('Mul', [centred, alongChannels(builder, r, x)]);
  const dbias = sumToChannels(builder, dy);
  const dscale = sumToChannels(builder, builder.op('Mul', [dy, xHat]));
  const perChannel = (sum: Value): Value => alongChannels(builder, builder.op('Mul', [sum, share]), x);
  const slope = builder.op('Mul', [xHat, perChannel(dscale)]);
  const rest = builder.op('Sub', [builder.op('Sub', [dy, perChannel(dbias)]), slope]);
  const dx = builder.op('Mul', [rest, alongChannels(builder, builder.op('Mul', [scale, r]), x)]);
  const back = (value: Value): Value => castTo(builder, value, input(2).dtype);
  return [dx, back(dscale), back(dbias)].slice(0, outputCount);
}

const epsilon = { kind: 'float', default: 1e-5 } as const;

/** Normalization of each channel by statistics over the batch. */
export const batchNormalization: Pick<
  OpFamily<NormalizationAttributes>,
  'BatchNormalization' | 'BatchNormalizationTraining' | 'BatchNormalizationGradient'
> = {
  /** `y = (x − mean)/√(variance + ε)·scale + bias` */
  BatchNormalization: {
    inputs: exactly(5),
    outputs: between(1, 3),
    attributes: { epsilon, momentum: { kind: 'float', default: 0.9 }, training_mode: { kind: 'int', default: 0 } },
    infer: inferBatchNormalization,
    gradient: batchNormalizationGradient,
    evaluate: evaluateBatchNormalization,
    decompose: decomposeBatchNormalization,
  },
  BatchNormalizationTraining: {
    domain: modelwrightDomain,
    inputs: exactly(3),
    outputs: exactly(3),
    attributes: { epsilon },
    infer: inferTraining,
    gradient: (context) => throughStatistics(context, context.outputGradients),
    evaluate: evaluateTraining,
    decompose: decomposeTraining,
  },
  BatchNormalizationGradient: {
    domain: modelwrightDomain,
    inputs: exactly(5),
    outputs: exactly(3),
    attributes: { epsilon },
    infer: inferGradient,
    gradient: 'not-differentiable',
    evaluate: evaluateGradient,
    decompose: decomposeGradient,
  },
};
