import { allocateData, ModelwrightError, Tensor, toNumbers } from '@modelwright/core';
import { type ArrayData, toTensor } from './array-data.js';
import type { Sample } from './sample.js';

/** How much each class counts in the loss; classes left out count 1. */
export type ClassWeights = { readonly [label: number]: number };

/**
 * Weights that let each class count the same in total: `weight[c] = examples / (classes · count[c])`.
 *
 * @param labels - Class indices `[examples]`, or one-hot rows `[examples, classes]`.
 * @throws {@link ModelwrightError} `value-out-of-range` for labels that are no class index.
 */
export function balancedClassWeights(labels: ArrayData): ClassWeights {
  const classes = classIndices(toTensor(labels, 'labels'));
  const counts = new Map<number, number>();
  for (const label of classes) counts.set(label, (counts.get(label) ?? 0) + 1);
  const entries = [...counts].map(([label, count]) => [label, classes.length / (counts.size * count)]);
  return Object.fromEntries(entries);
}

/**
 * A batch whose sample weights are multiplied by the weight of each example's class. For `dataset.map`, before or after
 * batching; needs a single target.
 *
 * @throws {@link ModelwrightError} `invalid-argument` when there are several targets or none.
 */
export function weightByClass(sample: Sample, weights: ClassWeights): Sample {
  const { targets, sampleWeights } = sample;
  if (!(targets instanceof Tensor) || (sampleWeights !== undefined && !(sampleWeights instanceof Tensor))) {
    throw new ModelwrightError(
      'invalid-argument',
      'class weights need one target that is not named; give sample weights instead',
    );
  }
  const classes = classIndices(targets);
  const data = allocateData('float32', classes.length);
  const before = sampleWeights === undefined ? undefined : toNumbers(sampleWeights);
  classes.forEach((label, index) => {
    data[index] = (weights[label] ?? 1) * (before?.[index] ?? 1);
  });
  return { ...sample, sampleWeights: new Tensor('float32', targets.rank === 0 ? [] : [classes.length], data) };
}

// Sparse labels [batch] or [batch, 1], or one-hot rows [batch, classes]: the largest entry names the class.
function classIndices(labels: Tensor): number[] {
  const numbers = toNumbers(labels);
  const width = labels.rank === 2 ? (labels.shape[1] as number) : 1;
  if (width > 1)
    return Array.from({ length: labels.shape[0] as number }, (_, row) => largestAt(numbers, row * width, width));
  const odd = numbers.find((label) => !Number.isInteger(label) || label < 0);
  if (odd !== undefined) {
    throw new ModelwrightError('value-out-of-range', `${odd} is no class index; integers ≥ 0 are allowed`, {
      given: odd,
    });
  }
  return [...numbers];
}

function largestAt(numbers: Float64Array, start: number, width: number): number {
  let best = 0;
  for (let index = 1; index < width; index++) {
    if ((numbers[start + index] as number) > (numbers[start + best] as number)) best = index;
  }
  return best;
}
