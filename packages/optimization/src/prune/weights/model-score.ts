import {
  type Backend,
  createPredictor,
  isFloat,
  type Model,
  ModelwrightError,
  type TensorMap,
  toNumbers,
} from '@modelwright/core';
import { type CalibrationSamples, calibrationBatches } from '../../pipeline/calibration.js';
import type { Evaluation } from '../../pipeline/optimize.js';
import { relativeErrorOf } from '../../report/match-layers.js';

/** How models are compared: larger is better. */
export type ModelScore = (model: Model) => Promise<number>;

export interface ScoreOptions {
  /** Where samples are run. */
  readonly backend: Backend;
  /** Judges a model; larger is better. */
  readonly evaluate?: (model: Model) => Promise<Evaluation> | Evaluation;
  /** Typical inputs: without {@link evaluate}, models are judged by how near their outputs are to the given model's. */
  readonly calibration?: CalibrationSamples;
}

/**
 * The user's own measure; without one, minus the relative error `‖y − y′‖ / ‖y‖` of the outputs on samples.
 *
 * @throws {@link ModelwrightError} `invalid-argument` when there is neither.
 */
export async function modelScore(model: Model, { backend, evaluate, calibration }: ScoreOptions): Promise<ModelScore> {
  if (evaluate !== undefined) {
    return async (other) => {
      const evaluation = await evaluate(other);
      return typeof evaluation === 'number' ? evaluation : evaluation.value;
    };
  }
  if (calibration === undefined) {
    throw new ModelwrightError(
      'invalid-argument',
      'to see what pruning costs, give `evaluate` (your own measure of a model) or `calibration` (typical inputs)',
    );
  }
  const samples: TensorMap[] = [];
  for await (const batch of calibrationBatches(model, calibration)()) samples.push(batch);
  const wanted = await outputsOf(model, samples, backend);
  return async (other) => {
    const given = await outputsOf(other, samples, backend);
    return -relativeErrorOf(wanted.map((each, at) => [each, given[at] as Float64Array]));
  };
}

async function outputsOf(model: Model, samples: readonly TensorMap[], backend: Backend): Promise<Float64Array[]> {
  const predictor = await createPredictor(model, backend);
  const results: Float64Array[] = [];
  for (const sample of samples) {
    const outputs = await predictor.predict(sample);
    results.push(
      ...Object.values(outputs)
        .filter(({ dtype }) => isFloat(dtype))
        .map(toNumbers),
    );
    await predictor.resetStates();
  }
  await predictor.dispose();
  return results;
}
