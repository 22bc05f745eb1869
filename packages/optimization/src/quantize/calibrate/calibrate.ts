import { type Model, ModelwrightError, type Tensor, toNumbers, type Value } from '@modelwright/core';
import type { ValueRange } from '../affine.js';
import { entropyRange } from './entropy.js';
import { Histogram } from './histogram.js';
import { type Observation, observe } from './observe.js';
import { percentileRange } from './percentile.js';

/** How the ranges of activations are chosen from what samples give. */
export type Calibrator = CalibratorName | CalibratorOptions;
export type CalibratorName = CalibratorOptions['method'];

export type CalibratorOptions =
  /** All that was seen. */
  | { readonly method: 'minMax' }
  /** Extremes of each batch, averaged, so that an outlier counts little. `momentum` weighs the past, default 0.9. */
  | { readonly method: 'movingAverage'; readonly momentum?: number }
  /** What leaves out the rarest numbers at both ends: `percentile` % of them stay inside, default 99.99. */
  | { readonly method: 'percentile'; readonly percentile?: number; readonly bins?: number }
  /** What keeps the distribution most alike after rounding, by Kullback and Leibler's measure. */
  | { readonly method: 'entropy'; readonly bins?: number };

const defaultBins = 2048;
const defaultMomentum = 0.9;
const defaultPercentile = 99.99;

/**
 * Ranges of values of a model's graph on samples.
 *
 * @throws {@link ModelwrightError} `not-finite` naming the value that became infinite or not a number, `invalid-argument`
 * without samples.
 */
export async function calibrate(
  model: Model,
  values: readonly Value[],
  calibrator: Calibrator,
  observation: Observation,
): Promise<ReadonlyMap<Value, ValueRange>> {
  const options: CalibratorOptions = typeof calibrator === 'string' ? { method: calibrator } : calibrator;
  checkCalibrator(options);
  if (values.length === 0) return new Map();
  const momentum = options.method === 'movingAverage' ? (options.momentum ?? defaultMomentum) : undefined;
  const extremes = await extremesOf(model, values, momentum, observation);
  if (options.method === 'minMax' || options.method === 'movingAverage') return extremes;
  const histograms = await histogramsOf(model, extremes, options.bins ?? defaultBins, observation);
  const rangeOf = (histogram: Histogram): ValueRange =>
    options.method === 'entropy'
      ? entropyRange(histogram)
      : percentileRange(histogram, options.percentile ?? defaultPercentile);
  return new Map(histograms.map(([value, histogram]) => [value, rangeOf(histogram)]));
}

function checkCalibrator(options: CalibratorOptions): void {
  const known = ['minMax', 'movingAverage', 'percentile', 'entropy'];
  if (!known.includes(options.method))
    throw new ModelwrightError(
      'invalid-argument',
      `there is no calibrator '${options.method}'; there are: ${known.join(', ')}`,
      {
        given: options.method,
        allowed: known,
      },
    );
  if (
    options.method === 'percentile' &&
    !((options.percentile ?? defaultPercentile) > 50 && (options.percentile ?? defaultPercentile) <= 100)
  )
    throw new ModelwrightError(
      'invalid-argument',
      `percentile is ${options.percentile}; it lies above 50 and up to 100`,
      {
        given: options.percentile,
      },
    );
}

/** The least and the largest number of each value; reduced where the model runs, so that only two numbers come back. */
async function extremesOf(
  model: Model,
  values: readonly Value[],
  momentum: number | undefined,
  observation: Observation,
): Promise<ReadonlyMap<Value, ValueRange>> {
  const ranges = new Map<Value, ValueRange>();
  await observe(model, observation, {
    add: (builder, standing) =>
      Object.fromEntries(
        values.flatMap((value, index) => [
          [`${index}.low`, builder.op('ReduceMin', [standing(value)], { keepdims: 0 })],
          [`${index}.high`, builder.op('ReduceMax', [standing(value)], { keepdims: 0 })],
        ]),
      ),
    see: (seen) => {
      for (const [index, value] of values.entries()) {
        const range = { low: numberOf(seen[`${index}.low`]), high: numberOf(seen[`${index}.high`]) };
        ranges.set(value, joined(ranges.get(value), checked(value, range), momentum));
      }
    },
  });
  return ranges;
}

function numberOf(tensor: Tensor | undefined): number {
  return tensor === undefined ? 0 : (toNumbers(tensor)[0] ?? 0);
}

function checked(value: Value, range: ValueRange): ValueRange {
  if (Number.isFinite(range.low) && Number.isFinite(range.high)) return range;
  throw new ModelwrightError(
    'not-finite',
    `'${value.name}' takes values from ${range.low} to ${range.high} on the calibration samples`,
    {
      layer: value.name,
      given: range,
    },
  );
}

function joined(before: ValueRange | undefined, now: ValueRange, momentum: number | undefined): ValueRange {
  if (before === undefined) return now;
  if (momentum === undefined) return { low: Math.min(before.low, now.low), high: Math.max(before.high, now.high) };
  const mean = (a: number, b: number): number => momentum * a + (1 - momentum) * b;
  return { low: mean(before.low, now.low), high: mean(before.high, now.high) };
}

async function histogramsOf(
  model: Model,
  extremes: ReadonlyMap<Value, ValueRange>,
  bins: number,
  observation: Observation,
): Promise<readonly (readonly [Value, Histogram])[]> {
  const histograms = [...extremes].map(([value, range]) => [value, new Histogram(range, bins)] as const);
  await observe(model, observation, {
    add: (_, standing) => Object.fromEntries(histograms.map(([value], index) => [`${index}`, standing(value)])),
    see: (seen) => {
      for (const [index, [, histogram]] of histograms.entries())
        histogram.observe(toNumbers(seen[`${index}`] as Tensor));
    },
  });
  return histograms;
}
