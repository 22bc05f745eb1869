/** What every backend has to agree on: the answers of one file, and the losses of one training. Runs in pages and in Node. */
import type { Backend, Model } from '@modelwright/core';
import { type Digits, imagesOf, labelsOf, pick } from './digits.js';
import type { NetworkKind } from './networks.js';
import { predictorFor, probabilitiesOf } from './read-model.js';
import { batchesOf, startTraining } from './train-digits.js';

const rowsAtOnce = 100;

/** `[count, 10]` probabilities of a model, computed a hundred digits at a time. */
export async function allProbabilities(model: Model, backend: Backend, digits: Digits): Promise<Float32Array> {
  const predictor = await predictorFor(model, backend);
  const found = new Float32Array(digits.count * 10);
  for (let start = 0; start < digits.count; start += rowsAtOnce) {
    const count = Math.min(rowsAtOnce, digits.count - start);
    const rows = Array.from({ length: count }, (_, index) => start + index);
    found.set(await probabilitiesOf(predictor, pick(digits, rows)), start * 10);
  }
  await predictor.dispose();
  return found;
}

/** Loss of each of the first steps of a training that is the same everywhere. */
export async function lossTrace(
  backend: Backend,
  digits: Digits,
  { network, steps, batchSize = 32 }: { network: NetworkKind; steps: number; batchSize?: number },
): Promise<number[]> {
  const trainer = await startTraining(backend, network);
  const losses: number[] = [];
  for (const batch of batchesOf(digits, batchSize, 0).slice(0, steps)) {
    const { loss } = await trainer.trainOnBatch({ x: imagesOf(batch), y: labelsOf(batch) });
    losses.push(loss as number);
  }
  await trainer.dispose();
  return losses;
}

/** Largest absolute difference; NaN if there is one anywhere. */
export function largestDifference(left: ArrayLike<number>, right: ArrayLike<number>): number {
  if (left.length !== right.length) return Number.NaN;
  return Array.from(left).reduce((most, value, index) => {
    const difference = Math.abs(value - (right[index] as number));
    return difference > most || Number.isNaN(difference) ? difference : most;
  }, 0);
}

/** Largest difference of two losses, relative to the right one. */
export function largestRelativeDifference(left: readonly number[], right: readonly number[]): number {
  if (left.length !== right.length) return Number.NaN;
  return largestDifference(
    left.map((value, index) => value / (right[index] as number)),
    right.map(() => 1),
  );
}

/** The class of each row of `[count, 10]` probabilities. */
export function classesOf(probabilities: Float32Array): number[] {
  return Array.from({ length: probabilities.length / 10 }, (_, row) => {
    const scores = probabilities.subarray(row * 10, row * 10 + 10);
    return scores.indexOf(Math.max(...scores));
  });
}
