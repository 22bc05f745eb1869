import { ModelwrightError } from '@modelwright/core';

/** Checks a parsed JSON value; `path` says in errors where it stands: `policy.json: roles.user[0]`. */
export type Reader<T> = (value: unknown, path: string) => T;

/** Any text, or one that `pattern` matches. */
export function text(pattern?: RegExp): Reader<string> {
  return (value, path) => {
    if (typeof value !== 'string' || value === '') throw problem(path, value, 'a text');
    if (pattern !== undefined && !pattern.test(value)) throw problem(path, value, `a text like ${pattern.source}`);
    return value;
  };
}

/** One of these. */
export function oneOf<const T extends string | number>(allowed: readonly T[]): Reader<T> {
  return (value, path) => {
    if (!(allowed as readonly unknown[]).includes(value)) throw problem(path, value, allowed.join(', '));
    return value as T;
  };
}

/** A finite number above zero, or from `minimum` on. */
export function positive(minimum?: number): Reader<number> {
  return (value, path) => {
    const isFine =
      typeof value === 'number' && Number.isFinite(value) && (minimum === undefined ? value > 0 : value >= minimum);
    if (!isFine)
      throw problem(path, value, minimum === undefined ? 'a number above 0' : `a number, ${minimum} or more`);
    return value;
  };
}

/** `true` or `false`. */
export const truth: Reader<boolean> = (value, path) => {
  if (typeof value !== 'boolean') throw problem(path, value, 'true or false');
  return value;
};

/** A list, each entry by `each`. */
export function list<T>(each: Reader<T>): Reader<readonly T[]> {
  return (value, path) => {
    if (!Array.isArray(value)) throw problem(path, value, 'a list');
    return value.map((entry, at) => each(entry, `${path}[${at}]`));
  };
}

/** An object of any keys, each value by `each`. */
export function dictionary<T>(each: Reader<T>): Reader<Readonly<Record<string, T>>> {
  return (value, path) =>
    Object.fromEntries(entriesOf(value, path).map(([key, held]) => [key, each(held, `${path}.${key}`)]));
}

/** An object of these fields and no others: a misspelt rule must not pass for none. */
export function fields<Required extends object, Optional extends object>(
  required: { readonly [K in keyof Required]: Reader<Required[K]> },
  optional: { readonly [K in keyof Optional]: Reader<Optional[K]> },
): Reader<Required & Partial<Optional>> {
  const readers = new Map<string, Reader<unknown>>(Object.entries({ ...required, ...optional }));
  return (value, path) => {
    const entries = entriesOf(value, path);
    for (const key of Object.keys(required))
      if (!entries.some(([given]) => given === key)) throw problem(path, undefined, `the field '${key}'`);
    const read = entries.map(([key, held]) => {
      const reader = readers.get(key);
      if (reader === undefined)
        throw problem(`${path}.${key}`, held, `only the fields ${[...readers.keys()].join(', ')}`);
      return [key, reader(held, `${path}.${key}`)];
    });
    return Object.fromEntries(read) as Required & Partial<Optional>;
  };
}

/**
 * Parses `source` and reads it.
 *
 * @throws {@link ModelwrightError} `invalid-configuration`, naming the place.
 */
export function readStrictJson<T>(source: string, reader: Reader<T>, file: string): T {
  let value: unknown;
  try {
    value = JSON.parse(source);
  } catch (cause) {
    throw new ModelwrightError('invalid-configuration', `${file} is not JSON.`, { file, cause });
  }
  return reader(value, file);
}

function entriesOf(value: unknown, path: string): [string, unknown][] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw problem(path, value, 'an object');
  return Object.entries(value);
}

function problem(path: string, given: unknown, allowed: string): ModelwrightError {
  const shown = given === undefined ? 'missing' : typeof given === 'object' ? 'not that' : JSON.stringify(given);
  return new ModelwrightError('invalid-configuration', `${path}: expected ${allowed}, is ${shown}.`, {
    given,
    allowed,
  });
}
