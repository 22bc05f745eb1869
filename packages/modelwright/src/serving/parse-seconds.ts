import { InvalidArgumentError } from 'commander';

/** Reads a number of seconds, 0 or more. */
export function parseSeconds(value: string): number {
  const seconds = Number(value);
  if (!/^\d+(\.\d+)?$/.test(value)) throw new InvalidArgumentError("write a number of seconds, as in '30' or '0.5'.");
  return seconds;
}
