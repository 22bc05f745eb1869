import { InvalidArgumentError } from 'commander';
import type { Extents } from '../model/random-inputs.js';

/** A file for an input or output; without a name it is for the only one. */
export interface NamedFile {
  readonly name?: string;
  readonly file: string;
}

/** Reads `name=path` or `path`, once an occurrence of the option. */
export function collectNamedFile(value: string, previous: readonly NamedFile[] = []): readonly NamedFile[] {
  const [, name, file] = /^(?:([^=/\\]+)=)?(.+)$/s.exec(value) ?? [];
  if (file === undefined) throw new InvalidArgumentError("write 'path' or 'name=path'.");
  return [...previous, name === undefined ? { file } : { name, file }];
}

/** Reads `symbol=number`, once an occurrence of the option. */
export function collectExtent(value: string, previous: Extents = {}): Extents {
  const [, symbol, extent] = /^([^=]+)=(\d+)$/.exec(value) ?? [];
  if (symbol === undefined || extent === undefined)
    throw new InvalidArgumentError("write 'symbol=number', as in 'height=224'.");
  return { ...previous, [symbol]: Number(extent) };
}

/** Reads names, once an occurrence of the option or with commas between. */
export function collectNames(value: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, ...value.split(',').filter((name) => name !== '')];
}

/** Reads one number or one a channel: `0.5` or `0.485,0.456,0.406`. */
export function parseNumbers(value: string): readonly number[] {
  const numbers = value.split(',').map(Number);
  if (value.trim() === '' || numbers.some((number) => !Number.isFinite(number))) {
    throw new InvalidArgumentError("write a number, or one a channel: '0.485,0.456,0.406'.");
  }
  return numbers;
}

/** Reads a number above zero; fractions are written `1/255` or `0.0039`. */
export function parsePositive(value: string): number {
  const [numerator, denominator = '1', ...rest] = value.split('/');
  const number = Number(numerator) / Number(denominator);
  if (rest.length > 0 || !(number > 0) || !Number.isFinite(number))
    throw new InvalidArgumentError('write a number above zero.');
  return number;
}

/** Reads a whole number of one or more. */
export function parseCount(value: string): number {
  if (!/^\d+$/.test(value) || Number(value) < 1) throw new InvalidArgumentError('write a whole number, 1 or more.');
  return Number(value);
}
