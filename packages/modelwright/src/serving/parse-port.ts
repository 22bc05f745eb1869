import { InvalidArgumentError } from 'commander';

/** Reads the number of a port; 0 for any that is free. */
export function parsePort(value: string): number {
  const port = Number(value);
  if (!/^\d{1,5}$/.test(value) || port > 65_535)
    throw new InvalidArgumentError('write a whole number from 0 to 65535.');
  return port;
}
