import type { Tensor, Value } from '@modelwright/core';
import type { Prediction, TargetKind } from '../losses/loss.js';
import { type Arithmetic, extents } from '../symbolic/arithmetic.js';

/** What the part of a metric that runs inside the graph is built from. */
export interface MetricContext {
  readonly arithmetic: Arithmetic;
  /** As the output's loss takes it: dense in the prediction's dtype and shape, or int64 classes with one axis less. */
  readonly target: Value;
  readonly targets: TargetKind;
  readonly prediction: Prediction;
  /** `[batch]` or `[batch, steps]`: how much each example or step counts; undefined when all count 1. */
  readonly sampleWeights: Value | undefined;
}

/** Sums over everything seen so far, by name. */
export type MetricSums = { readonly [name: string]: Float64Array };

/**
 * A number (or matrix) about predictions, exact over an epoch: the graph computes sums over a batch, the host adds them up
 * over batches in float64, and the metric is a function of those sums. So batches of any size weigh right, and a metric in
 * the middle of an epoch is a handful of numbers that a checkpoint keeps.
 */
export interface Metric {
  readonly name: string;
  /** Floating values of any small shape, each a plain sum over the examples of the batch; numbers where shapes tell them. */
  sums(context: MetricContext): { readonly [name: string]: Value | number };
  /** The metric of the summed values; a tensor for matrices, which only `evaluateDetailed` gives. */
  result(sums: MetricSums): number | Tensor;
}

/** The first number of a sum; NaN when nothing was seen. */
export function sumOf(sums: MetricSums, name: string): number {
  return sums[name]?.[0] ?? Number.NaN;
}

/** `a / b`, 0 where nothing was counted, as Keras has it. */
export function quotient(a: number, b: number): number {
  return b === 0 ? 0 : a / b;
}

/** Sample weights in the dtype and rank of `values`, whose first axes are the batch and, for weights of steps, the steps. */
export function weightsLike({ arithmetic, sampleWeights }: MetricContext, values: Value): Value | undefined {
  if (sampleWeights === undefined) return undefined;
  const shape = extents(sampleWeights.shape);
  const cast = arithmetic.cast(sampleWeights, values.dtype);
  return arithmetic.reshape(cast, [...shape, ...values.shape.slice(shape.length).map(() => 1)]);
}

/** The context with weights of 0 where the integer label is `ignored`, so that those places count for nothing. */
export function withoutClass(context: MetricContext, ignored: number | undefined): MetricContext {
  if (ignored === undefined || context.targets !== 'classes') return context;
  const { arithmetic: a, target, prediction } = context;
  const { dtype } = prediction.value;
  const counted = a.subtract(1, a.cast(a.equal(target, ignored), dtype));
  const weights = weightsLike(context, counted);
  return { ...context, sampleWeights: weights === undefined ? counted : a.multiply(counted, weights) };
}

/** `{ total, count }` of values, one an example (and position), weighted. */
export function weightedMean(context: MetricContext, values: Value): { total: Value; count: Value | number } {
  const { arithmetic: a } = context;
  const weights = weightsLike(context, values);
  const shape = extents(values.shape);
  if (weights === undefined) {
    const count = shape.reduce((product, extent) => product * extent, 1);
    return { total: a.sum(values), count };
  }
  return { total: a.sum(a.multiply(values, weights)), count: a.sum(a.expand(weights, shape)) };
}

/** A metric that is the weighted mean of one number an example. */
export function meanMetric(name: string, values: (context: MetricContext) => Value): Metric {
  return {
    name,
    sums: (context) => weightedMean(context, values(context)),
    result: (sums) => quotient(sumOf(sums, 'total'), sumOf(sums, 'count')),
  };
}

/** A metric of one's own; see {@link Metric}. */
export function customMetric(metric: Metric): Metric {
  return metric;
}
