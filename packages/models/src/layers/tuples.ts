import { ModelwrightError } from '@modelwright/core';

/** One number for all axes, or one an axis. */
export type PerAxis = number | readonly number[];

/**
 * One number an axis.
 *
 * @throws {@link ModelwrightError} `invalid-argument` naming the option when the count is wrong or a number is too small.
 */
export function perAxis(
  given: PerAxis,
  { rank, option, least = 1 }: { rank: number; option: string; least?: number },
): readonly number[] {
  const values = typeof given === 'number' ? new Array<number>(rank).fill(given) : given;
  if (values.length === rank && values.every((value) => Number.isInteger(value) && value >= least)) return values;
  const allowed = rank === 1 ? `an integer ≥ ${least}` : `an integer ≥ ${least}, or ${rank} of them`;
  throw new ModelwrightError('invalid-argument', `${option} is ${JSON.stringify(given)}; ${allowed} is expected`, {
    given,
    allowed,
  });
}

/** Before and after, on one axis or on each: how padding and cropping are given. */
export type PerSide = number | readonly (number | readonly [number, number])[];

/**
 * `[before, after]` an axis. With one axis a pair of numbers means both sides, as in Keras.
 *
 * @throws {@link ModelwrightError} `invalid-argument` naming the option.
 */
export function perSide(given: PerSide, rank: number, option: string): readonly (readonly [number, number])[] {
  const list = typeof given === 'number' ? new Array<number>(rank).fill(given) : given;
  const isPair = rank === 1 && list.length === 2 && list.every((value) => typeof value === 'number');
  const sides = isPair
    ? [list as unknown as readonly [number, number]]
    : list.map((side) => (typeof side === 'number' ? ([side, side] as const) : side));
  const valid =
    sides.length === rank &&
    sides.every((side) => side.length === 2 && side.every((value) => Number.isInteger(value) && value >= 0));
  if (valid) return sides;
  throw new ModelwrightError(
    'invalid-argument',
    `${option} is ${JSON.stringify(given)}; an integer ≥ 0, or for each of ${rank} axes an integer or a pair [before, after] is expected`,
    { given },
  );
}

/** Checks a number of units, filters or the like. */
export function requirePositive(value: number, option: string): number {
  if (Number.isInteger(value) && value > 0) return value;
  throw new ModelwrightError('invalid-argument', `${option} is ${value}; an integer ≥ 1 is expected`, { given: value });
}
