import { ModelwrightError } from '@modelwright/core';

/** Header in which a client says how long it will wait, in milliseconds. */
export const timeoutHeader = 'x-request-timeout-ms';

/**
 * When a request has to be answered, on the clock of `performance.now()`: what the client says, but not later than the server's limit.
 *
 * @throws {@link ModelwrightError} `invalid-argument` for a header that is no number of milliseconds above 0.
 */
export function deadlineOf(given: string | undefined, limitMilliseconds: number): number {
  if (given === undefined) return performance.now() + limitMilliseconds;
  const milliseconds = Number(given);
  if (!/^\d{1,9}(\.\d{1,6})?$/.test(given) || !(milliseconds > 0)) {
    throw new ModelwrightError(
      'invalid-argument',
      `the header ${timeoutHeader} has to be a number of milliseconds above 0`,
      {
        input: timeoutHeader,
      },
    );
  }
  return performance.now() + Math.min(milliseconds, limitMilliseconds);
}
