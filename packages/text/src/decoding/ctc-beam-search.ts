import { ModelwrightError, type Tensor } from '@modelwright/core';
import { type CtcReading, type CtcScoreOptions, type CtcSteps, ctcSteps } from './ctc-scores.js';

/** Options of {@link ctcBeamSearch}. */
export interface CtcBeamOptions extends CtcScoreOptions {
  /** Readings kept after each step. Default 16. */
  readonly beamWidth?: number;
  /** Readings given for each row, the likeliest first. Default 1. */
  readonly topPaths?: number;
  /**
   * What a language model says of the next label: a number (a weighted log-probability, say) that is added where a reading
   * grows by it.
   */
  readonly languageScore?: (labels: readonly number[], next: number) => number;
}

/**
 * The likeliest readings, each the sum over all paths that spell it. With a beam as wide as there are readings the result is
 * exact.
 *
 * @param scores - `[batch, steps, classes]`.
 * @returns for each row up to `topPaths` readings by falling probability.
 * @throws {@link ModelwrightError} `shape-mismatch` when scores are of another shape, `invalid-argument` for a beam or a
 *   number of readings below 1.
 * @see Hannun et al., "First-pass large vocabulary continuous speech recognition using bi-directional recurrent DNNs",
 *   arXiv:1408.2873, §4.
 */
export function ctcBeamSearch(scores: Tensor, options: CtcBeamOptions = {}): readonly (readonly CtcReading[])[] {
  const { beamWidth = 16, topPaths = 1 } = options;
  if (!(beamWidth >= 1 && topPaths >= 1)) {
    throw new ModelwrightError(
      'invalid-argument',
      `ctcBeamSearch: beamWidth ${beamWidth} and topPaths ${topPaths} are to be at least 1`,
      { given: [beamWidth, topPaths] },
    );
  }
  return ctcSteps(scores, options).map((steps) => searchRow(steps, { ...options, beamWidth, topPaths }));
}

/** A reading so far, as a node of the tree of all readings. */
interface Prefix {
  readonly parent: Prefix | undefined;
  readonly label: number;
  /** What the language model said of its last label. */
  readonly languageScore: number;
  readonly children: Map<number, Prefix>;
}

/** Log-probabilities of the paths that spell a prefix: those that end in a blank, and those that end in its last label. */
interface Ends {
  readonly prefix: Prefix;
  blank: number;
  label: number;
}

type RowOptions = CtcBeamOptions & { readonly beamWidth: number; readonly topPaths: number };

function searchRow(steps: CtcSteps, options: RowOptions): readonly CtcReading[] {
  const root: Prefix = { parent: undefined, label: -1, languageScore: 0, children: new Map() };
  let beam: readonly Ends[] = [{ prefix: root, blank: 0, label: Number.NEGATIVE_INFINITY }];
  for (const step of steps) beam = likeliest(grow(beam, step, options), options.beamWidth);
  return likeliest(beam, options.topPaths).map((ends) => ({
    labels: labelsOf(ends.prefix),
    logProbability: totalOf(ends),
  }));
}

function grow(beam: readonly Ends[], step: Float64Array, options: RowOptions): readonly Ends[] {
  const { blank = 0 } = options;
  const grown = new Map<Prefix, Ends>();
  const endsOf = (prefix: Prefix): Ends => {
    let ends = grown.get(prefix);
    if (ends === undefined) {
      ends = { prefix, blank: Number.NEGATIVE_INFINITY, label: Number.NEGATIVE_INFINITY };
      grown.set(prefix, ends);
    }
    return ends;
  };
  for (const ends of beam) {
    const { prefix } = ends;
    const total = totalOf(ends);
    const same = endsOf(prefix);
    same.blank = logAdd(same.blank, total + (step[blank] as number));
    for (let label = 0; label < step.length; label++) {
      const score = step[label] as number;
      if (label === blank || score === Number.NEGATIVE_INFINITY) continue;
      // A repeat is read once, unless a blank stands between.
      const isRepeat = label === prefix.label;
      if (isRepeat) same.label = logAdd(same.label, ends.label + score);
      const next = childOf(prefix, label, options);
      const extended = endsOf(next);
      extended.label = logAdd(extended.label, (isRepeat ? ends.blank : total) + score + next.languageScore);
    }
  }
  return [...grown.values()];
}

function childOf(prefix: Prefix, label: number, { languageScore }: RowOptions): Prefix {
  const known = prefix.children.get(label);
  if (known !== undefined) return known;
  const score = languageScore === undefined ? 0 : languageScore(labelsOf(prefix), label);
  const child: Prefix = { parent: prefix, label, languageScore: score, children: new Map() };
  prefix.children.set(label, child);
  return child;
}

function labelsOf(prefix: Prefix): readonly number[] {
  const labels: number[] = [];
  for (let node = prefix; node.parent !== undefined; node = node.parent) labels.push(node.label);
  return labels.reverse();
}

function likeliest(all: readonly Ends[], count: number): readonly Ends[] {
  const scored = all.map((ends) => ({ ends, total: totalOf(ends) }));
  return scored
    .filter(({ total }) => total > Number.NEGATIVE_INFINITY)
    .sort((a, b) => b.total - a.total)
    .slice(0, count)
    .map(({ ends }) => ends);
}

function totalOf({ blank, label }: Ends): number {
  return logAdd(blank, label);
}

function logAdd(a: number, b: number): number {
  const [larger, smaller] = a > b ? [a, b] : [b, a];
  return smaller === Number.NEGATIVE_INFINITY ? larger : larger + Math.log1p(Math.exp(smaller - larger));
}
