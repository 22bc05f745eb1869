import { fromNumbers, type Tensor, toNumbers } from '@modelwright/core';

/** Largest finite number of float16. */
export const largestHalf = 65504;

/** A tensor in float16 and what the rounding did to it. */
export interface HalfTensor {
  readonly tensor: Tensor;
  /** Finite numbers beyond {@link largestHalf}, which stand at it now. */
  readonly overflows: number;
  /** Numbers that are zero now and were not. */
  readonly underflows: number;
}

/** Rounds to float16; infinities stay, finite numbers beyond the range are moved to its end. */
export function toHalf(given: Tensor): HalfTensor {
  const numbers = toNumbers(given);
  let [overflows, underflows] = [0, 0];
  const clipped = numbers.map((value) => {
    // From 65520 on numbers round to infinity.
    if (!Number.isFinite(value) || Math.abs(value) < 65520) return value;
    overflows++;
    return Math.sign(value) * largestHalf;
  });
  const tensor = fromNumbers('float16', given.shape, clipped);
  const bits = tensor.data;
  for (let at = 0; at < bits.length; at++) if (((bits[at] as number) & 0x7fff) === 0 && numbers[at] !== 0) underflows++;
  return { tensor, overflows, underflows };
}
