import { type Model, ModelwrightError } from '@modelwright/core';
import { type LossLike, toLoss } from '../losses/loss-by-name.js';
import { type MetricLike, toMetric } from '../metrics/metric-by-name.js';
import type { OutputObjective } from '../program/objective.js';

/** One for the model's single output (or all outputs), or by output name. */
export type PerOutput<T> = T | { readonly [output: string]: T };

export interface ObjectiveOptions {
  /** By name, as an object, or as a function of symbolic values; by output name for several. Not needed to predict. */
  readonly loss?: LossLike | { readonly [output: string]: LossLike };
  /** By name, as objects or functions; by output name for several. */
  readonly metrics?: readonly MetricLike[] | { readonly [output: string]: readonly MetricLike[] };
  /** Metrics that count examples by their sample or class weights; `metrics` count all the same. */
  readonly weightedMetrics?: readonly MetricLike[] | { readonly [output: string]: readonly MetricLike[] };
  /** Factors of the outputs' losses in the total, default 1. */
  readonly lossWeights?: { readonly [output: string]: number };
}

/**
 * What each output is trained for.
 *
 * @throws {@link ModelwrightError} `invalid-argument` for outputs the model does not have and unknown names.
 */
export function resolveObjectives(model: Model, options: ObjectiveOptions): readonly OutputObjective[] {
  const names = model.graph.outputs.map(({ name }) => name);
  const losses = byOutput(options.loss, { model, names, what: 'loss', isOne: isLoss });
  const metrics = byOutput(options.metrics, { model, names, what: 'metrics', isOne: Array.isArray });
  const weighted = byOutput(options.weightedMetrics, { model, names, what: 'weightedMetrics', isOne: Array.isArray });
  const weights = options.lossWeights ?? {};
  requireOutputs(Object.keys(weights), { model, names, what: 'lossWeights' });
  return names
    .filter((output) => losses.has(output) || metrics.has(output) || weighted.has(output))
    .map((output) => {
      const loss = losses.get(output);
      return {
        output,
        loss: loss === undefined ? undefined : toLoss(loss),
        weight: weights[output] ?? 1,
        metrics: ((metrics.get(output) ?? []) as readonly MetricLike[]).map(toMetric),
        weightedMetrics: ((weighted.get(output) ?? []) as readonly MetricLike[]).map(toMetric),
        prefix: names.length > 1 ? `${output}_` : '',
      };
    });
}

interface Place {
  readonly model: Model;
  readonly names: readonly string[];
  readonly what: string;
}

function byOutput<T>(
  given: T | { readonly [output: string]: T } | undefined,
  { isOne, ...place }: Place & { readonly isOne: (value: unknown) => boolean },
): ReadonlyMap<string, T> {
  if (given === undefined) return new Map();
  if (isOne(given)) return new Map(place.names.map((name) => [name, given as T]));
  const named = given as { readonly [output: string]: T };
  requireOutputs(Object.keys(named), place);
  return new Map(Object.entries(named));
}

function requireOutputs(given: readonly string[], { model, names, what }: Place): void {
  const unknown = given.find((name) => !names.includes(name));
  if (unknown === undefined) return;
  throw new ModelwrightError(
    'invalid-argument',
    `${what}: model '${model.name}' has no output '${unknown}'; it has: ${names.join(', ')}`,
    { given: unknown, allowed: names },
  );
}

function isLoss(value: unknown): boolean {
  if (typeof value === 'string' || typeof value === 'function') return true;
  return typeof value === 'object' && value !== null && typeof (value as { build?: unknown }).build === 'function';
}
