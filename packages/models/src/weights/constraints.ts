import { type Constraint, ModelwrightError } from '@modelwright/core';

/** What a weight is held to after each update; axes are those of Keras's layout. */
export interface ConstraintOptions {
  /** Axes that a norm runs over, in Keras's layout: 0 for dense kernels (the default), `[0, 1, 2]` for conv2d's. */
  readonly axis?: number | readonly number[];
}

/** No weight is negative: `max(w, 0)`. */
export function nonNeg(): Constraint {
  return { kind: 'nonNeg' };
}

/** Norms are at most `maxValue` (2). */
export function maxNorm({
  maxValue = 2,
  axis = 0,
}: ConstraintOptions & { readonly maxValue?: number } = {}): Constraint {
  return { kind: 'maxNorm', maxValue, axes: axesOf(axis) };
}

/** Norms are 1. */
export function unitNorm({ axis = 0 }: ConstraintOptions = {}): Constraint {
  return { kind: 'unitNorm', axes: axesOf(axis) };
}

/** Norms are drawn into [`minValue` (0), `maxValue` (1)], by the share `rate` (1) of the way at each update. */
export function minMaxNorm(
  options: ConstraintOptions & { readonly minValue?: number; readonly maxValue?: number; readonly rate?: number } = {},
): Constraint {
  const { minValue = 0, maxValue = 1, rate = 1, axis = 0 } = options;
  return { kind: 'minMaxNorm', minValue, maxValue, rate, axes: axesOf(axis) };
}

function axesOf(axis: number | readonly number[]): readonly number[] {
  return typeof axis === 'number' ? [axis] : axis;
}

/** Constraints with Keras's default options, by name. */
export type ConstraintName = 'nonNeg' | 'maxNorm' | 'unitNorm' | 'minMaxNorm';

/** A name or a constraint. */
export type ConstraintLike = ConstraintName | Constraint;

const byName: { readonly [N in ConstraintName]: () => Constraint } = { nonNeg, maxNorm, unitNorm, minMaxNorm };

/**
 * The constraint that is meant.
 *
 * @throws {@link ModelwrightError} `invalid-argument` for an unknown name.
 */
export function constraintOf(like: ConstraintLike): Constraint {
  if (typeof like === 'object') return like;
  if (Object.hasOwn(byName, like)) return byName[like]();
  const allowed = Object.keys(byName);
  throw new ModelwrightError('invalid-argument', `there is no constraint '${like}'; there are: ${allowed.join(', ')}`, {
    given: like,
    allowed,
  });
}
