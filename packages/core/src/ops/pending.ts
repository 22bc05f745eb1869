import type { OpFamily } from './definition.js';

/** Stands for a family whose definitions are still to be written. */
export function pending<Family>(): OpFamily<Family> {
  return {} as OpFamily<Family>;
}
