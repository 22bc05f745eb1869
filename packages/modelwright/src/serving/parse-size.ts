import { InvalidArgumentError } from 'commander';

const units: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  m: 1e6,
  g: 1e9,
  ki: 2 ** 10,
  mi: 2 ** 20,
  gi: 2 ** 30,
};

/** Reads a number of bytes: `2GB`, `512MiB`, `1000000`. */
export function parseSize(value: string): number {
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?)\s*(ki|mi|gi|k|m|g)?b?$/i.exec(value.trim()) ?? [];
  const bytes = Math.floor(Number(number) * (units[unit.toLowerCase()] ?? Number.NaN));
  if (!(bytes >= 1)) throw new InvalidArgumentError("write a number of bytes, as in '2GB' or '512MiB'.");
  return bytes;
}
