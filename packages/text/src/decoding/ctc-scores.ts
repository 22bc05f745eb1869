import { ModelwrightError, type Tensor, toNumbers } from '@modelwright/core';

/** What a decoder reads: what a model trained with CTC gives. */
export interface CtcScoreOptions {
  /** The class that stands for "no label here". Default 0. */
  readonly blank?: number;
  /** What the scores are. Default `probabilities`. */
  readonly scores?: 'probabilities' | 'logarithms' | 'logits';
  /** `[batch]`: how many steps of each row count. Default: all. */
  readonly lengths?: ArrayLike<number>;
}

/** A row of labels and how likely it is. */
export interface CtcReading {
  readonly labels: readonly number[];
  readonly logProbability: number;
}

/** The steps of one row that count, each with the logarithms of the classes' probabilities. */
export type CtcSteps = readonly Float64Array[];

/**
 * Logarithms of probabilities, row by row.
 *
 * @param scores - `[batch, steps, classes]`.
 * @throws {@link ModelwrightError} `shape-mismatch` when it is not, or when there is no class `blank`.
 */
export function ctcSteps(scores: Tensor, options: CtcScoreOptions): readonly CtcSteps[] {
  const { blank = 0, lengths } = options;
  const [batch, steps, classes] = scores.shape;
  if (batch === undefined || steps === undefined || classes === undefined || scores.rank !== 3 || !(blank < classes)) {
    throw new ModelwrightError(
      'shape-mismatch',
      `CTC scores are [batch, steps, classes] with the blank among the classes; they are [${scores.shape}], the blank ${blank}`,
      { given: scores.shape },
    );
  }
  const numbers = toNumbers(scores);
  return Array.from({ length: batch }, (_, row) =>
    Array.from({ length: Math.min(steps, Number(lengths?.[row] ?? steps)) }, (_, step) => {
      const start = (row * steps + step) * classes;
      return logarithmsOf(numbers.slice(start, start + classes), options);
    }),
  );
}

function logarithmsOf(scores: Float64Array, { scores: kind = 'probabilities' }: CtcScoreOptions): Float64Array {
  if (kind === 'logarithms') return scores;
  if (kind === 'probabilities') return scores.map(Math.log);
  const largest = scores.reduce((a, b) => Math.max(a, b));
  const total = Math.log(scores.reduce((sum, score) => sum + Math.exp(score - largest), 0)) + largest;
  return scores.map((score) => score - total);
}
