import type { Tensor } from '@modelwright/core';
import { type CtcReading, type CtcScoreOptions, type CtcSteps, ctcSteps } from './ctc-scores.js';

/**
 * Reads the likeliest class of each step, repeats once and blanks not at all. Fast, and close to the best reading where the
 * network is sure of itself.
 *
 * @param scores - `[batch, steps, classes]`.
 * @returns the reading of each row, with the log-probability of the one path it comes from.
 * @throws {@link ModelwrightError} `shape-mismatch` when scores are of another shape.
 * @see Graves et al., "Connectionist Temporal Classification", ICML 2006, §3.2.
 * @example
 * const [{ labels }] = ctcGreedy(predictor.predict(image));
 */
export function ctcGreedy(scores: Tensor, options: CtcScoreOptions = {}): readonly CtcReading[] {
  return ctcSteps(scores, options).map((steps) => bestPath(steps, options.blank ?? 0));
}

function bestPath(steps: CtcSteps, blank: number): CtcReading {
  const labels: number[] = [];
  let logProbability = 0;
  let before = blank;
  for (const step of steps) {
    const largest = step.reduce((a, b) => Math.max(a, b));
    const label = step.indexOf(largest);
    logProbability += largest;
    if (label !== blank && label !== before) labels.push(label);
    before = label;
  }
  return { labels, logProbability };
}
