import { type GraphBuilder, ModelwrightError, normalizeAxis, type Value } from '@modelwright/core';
import type { Loss, Prediction } from '../losses/loss.js';
import type { Metric, MetricContext } from '../metrics/metric.js';
import { Arithmetic, extents } from '../symbolic/arithmetic.js';
import { alignTarget } from './align-target.js';
import { type BatchSignature, sampleWeightName, targetName } from './batch-signature.js';

/** What one output of the model is trained for and judged by. */
export interface OutputObjective {
  readonly output: string;
  /** Undefined: the output is not trained. */
  readonly loss: Loss | undefined;
  /** Factor of its loss in the total. */
  readonly weight: number;
  /** Count every example the same, as in Keras. */
  readonly metrics: readonly Metric[];
  /** Count examples by their weights. */
  readonly weightedMetrics?: readonly Metric[];
  /** Put in front of log names when there are several outputs. */
  readonly prefix: string;
}

/** Where a program puts the sums of a metric. */
export interface MetricOutputs {
  /** Name in logs. */
  readonly name: string;
  readonly metric: Metric;
  /** Graph outputs by sum name. */
  readonly outputs: { readonly [sum: string]: string };
  /** Sums that the shapes alone tell. */
  readonly known: { readonly [sum: string]: number };
}

/** What an objective adds to a program. */
export interface BuiltObjective {
  /** Sum of weighted losses, without penalties; undefined when no output has targets. */
  readonly loss: Value | undefined;
  /** Loss of each output by log name, where there are several. */
  readonly losses: { readonly [name: string]: Value };
  readonly metrics: readonly MetricOutputs[];
  /** Targets by output name, as fed. */
  readonly targets: { readonly [output: string]: Value };
}

interface ObjectiveRequest {
  readonly builder: GraphBuilder;
  readonly objectives: readonly OutputObjective[];
  readonly signature: BatchSignature;
  readonly outputs: { readonly [name: string]: Value };
  /** Which steps of an output count, bool `[batch, steps]`; all do where there is none. */
  readonly masks?: { readonly [name: string]: Value | undefined };
}

/** Adds targets, losses and metric sums of all outputs; metric sums become graph outputs. */
export function buildObjectives(request: ObjectiveRequest): BuiltObjective {
  const { builder, objectives, signature, outputs, masks = {} } = request;
  const arithmetic = new Arithmetic(builder);
  const losses: { [name: string]: Value } = {};
  const targets: { [output: string]: Value } = {};
  const metrics: MetricOutputs[] = [];
  let total: Value | undefined;
  for (const objective of objectives) {
    const type = signature.targets[objective.output];
    if (type === undefined) continue;
    const fed = builder.input(targetName(objective.output), type.dtype, type.shape);
    targets[objective.output] = fed;
    const value = outputs[objective.output] as Value;
    const part = buildObjective({ arithmetic, objective, signature, fed, value, mask: masks[objective.output] });
    if (part.loss !== undefined) {
      losses[`${objective.prefix}loss`] = part.loss;
      const weighted = objective.weight === 1 ? part.loss : arithmetic.multiply(part.loss, objective.weight);
      total = total === undefined ? weighted : arithmetic.add(total, weighted);
    }
    metrics.push(...part.metrics);
  }
  return { loss: total, losses: Object.keys(losses).length > 1 ? losses : {}, metrics, targets };
}

interface PartRequest {
  readonly arithmetic: Arithmetic;
  readonly objective: OutputObjective;
  readonly signature: BatchSignature;
  readonly fed: Value;
  readonly value: Value;
  readonly mask: Value | undefined;
}

function buildObjective(request: PartRequest): { loss: Value | undefined; metrics: readonly MetricOutputs[] } {
  const { arithmetic, objective, signature, fed, value, mask } = request;
  const { output, loss } = objective;
  const { builder } = arithmetic;
  const weightType = signature.sampleWeights[output];
  const sampleWeights =
    weightType === undefined ? undefined : builder.input(sampleWeightName(output), weightType.dtype, weightType.shape);
  const kind = loss ?? { name: 'metrics', targets: targetsFor(fed, value) };
  const target = alignTarget(arithmetic, { output, loss: kind, target: fed, prediction: value });
  const prediction = predictionOf(builder, value);
  const built =
    loss === undefined
      ? undefined
      : meanLoss({
          ...request,
          loss,
          target,
          values: loss.build({ arithmetic, target, prediction, mask }),
          sampleWeights,
        });
  const context = { arithmetic, target, targets: kind.targets, prediction };
  const metrics = namedMetrics(objective).map(({ name, metric, weighted }) => {
    const weights = maskedWeights(arithmetic, { mask, weights: weighted ? sampleWeights : undefined, like: value });
    return buildMetric({ name, metric, context: { ...context, sampleWeights: weights } });
  });
  return { loss: built, metrics };
}

/** A metric under its name in the logs. */
export interface NamedMetric {
  readonly name: string;
  readonly metric: Metric;
  readonly weighted: boolean;
}

/** The metrics of an output: first those that count every example the same. */
export function namedMetrics({ prefix, metrics, weightedMetrics = [] }: OutputObjective): readonly NamedMetric[] {
  const plain = metrics.map((metric) => ({ name: `${prefix}${metric.name}`, metric, weighted: false }));
  const taken = new Set(metrics.map(({ name }) => name));
  const weighted = weightedMetrics.map((metric) => ({
    name: `${prefix}${taken.has(metric.name) ? 'weighted_' : ''}${metric.name}`,
    metric,
    weighted: true,
  }));
  return [...plain, ...weighted];
}

interface MetricRequest {
  readonly name: string;
  readonly metric: Metric;
  readonly context: MetricContext;
}

function buildMetric({ name, metric, context }: MetricRequest): MetricOutputs {
  const outputs: { [sum: string]: string } = {};
  const known: { [sum: string]: number } = {};
  for (const [sum, each] of Object.entries(metric.sums(context))) {
    if (typeof each === 'number') known[sum] = each;
    else {
      outputs[sum] = `metrics.${name}.${sum}`;
      context.arithmetic.builder.output(outputs[sum], each);
    }
  }
  return { name, metric, outputs, known };
}

function targetsFor(target: Value, prediction: Value): Loss['targets'] {
  return target.shape.length < prediction.shape.length && prediction.shape.at(-1) !== 1 ? 'classes' : 'dense';
}

/** Sample weights that are 0 where the mask leaves steps out, in the dtype of `like`. */
function maskedWeights(
  a: Arithmetic,
  { mask, weights, like }: { mask: Value | undefined; weights: Value | undefined; like: Value },
): Value | undefined {
  if (mask === undefined) return weights;
  const counted = a.cast(mask, like.dtype);
  return weights === undefined ? counted : a.multiply(counted, spread(a, a.cast(weights, like.dtype), mask));
}

/** `value`, whose axes are the first ones of `like`, with axes of extent 1 behind them. */
function spread(a: Arithmetic, value: Value, like: Value): Value {
  const shape = extents(value.shape);
  return a.reshape(value, [...shape, ...like.shape.slice(shape.length).map(() => 1)]);
}

interface MeanRequest {
  readonly arithmetic: Arithmetic;
  readonly loss: Loss;
  readonly target: Value;
  /** One number an example (and position). */
  readonly values: Value;
  readonly sampleWeights: Value | undefined;
  readonly mask: Value | undefined;
}

/**
 * Σ w·loss / count, as Keras's `sum_over_batch_size`: weights scale losses, they do not change what is divided by. What a mask
 * or an ignored class leaves out is not counted either.
 */
export function meanLoss({ arithmetic: a, loss, target, values, sampleWeights, mask }: MeanRequest): Value {
  const shape = extents(values.shape);
  const batch = extents(target.shape)[0] ?? 1;
  if (shape[0] !== batch) {
    throw new ModelwrightError(
      'shape-mismatch',
      `loss '${loss.name}' gives [${shape}] for a batch of ${batch}; it must give one number an example, [${batch}, …]`,
      { given: shape, allowed: batch },
    );
  }
  const weighted =
    sampleWeights === undefined ? values : a.multiply(values, spread(a, a.cast(sampleWeights, values.dtype), values));
  const counted = countedValues({ arithmetic: a, loss, target, values, sampleWeights, mask });
  if (counted === undefined) return a.mean(weighted);
  return a.divide(a.sum(a.multiply(weighted, counted)), a.maximum(a.sum(a.expand(counted, shape)), 1));
}

/** 1 for each of the values that counts, 0 for the others; undefined when all do. */
function countedValues({ arithmetic: a, loss, target, values, mask }: MeanRequest): Value | undefined {
  // A loss of whole sequences gives one number each: it has the mask to go by itself.
  const fits = mask !== undefined && mask.shape.length <= values.shape.length;
  const unmasked = fits ? spread(a, a.cast(mask, values.dtype), values) : undefined;
  if (loss.ignoredClass === undefined) return unmasked;
  const wanted = a.subtract(1, a.cast(a.equal(target, loss.ignoredClass), values.dtype));
  return unmasked === undefined ? wanted : a.multiply(wanted, unmasked);
}

/** A model's output, with the scores before its softmax or sigmoid where it ends in one. */
export function predictionOf(builder: GraphBuilder, value: Value): Prediction {
  const found = lastActivation(builder, value, value.shape.length - 1);
  return found === undefined ? { value } : { value, logits: found };
}

// Looks through transposes: channels-last models of images end in one. `axis` is where the classes stand.
function lastActivation(builder: GraphBuilder, value: Value, axis: number): Prediction['logits'] {
  const node = builder.build().nodes.find(({ outputs }) => outputs.includes(value));
  const source = node?.inputs[0];
  if (node === undefined || source === undefined) return undefined;
  if (node.op === 'Sigmoid') return { value: source, activation: 'sigmoid' };
  if (node.op === 'Softmax') {
    const along = normalizeAxis((node.attributes as { axis?: number }).axis ?? -1, value.shape.length);
    return along === axis ? { value: source, activation: 'softmax' } : undefined;
  }
  if (node.op !== 'Transpose') return undefined;
  const reversed = value.shape.map((_, index) => value.shape.length - 1 - index);
  const perm = (node.attributes as { perm?: readonly number[] }).perm ?? reversed;
  const inner = lastActivation(builder, source, perm[axis] as number);
  return inner === undefined ? undefined : { ...inner, value: builder.op('Transpose', [inner.value], { perm }) };
}
