import { ModelwrightError } from '@modelwright/core';
import type { TargetContext } from './target.js';

type Options = TargetContext['options'];

/** A text among a target's options. */
export function textOption(options: Options, name: string): string | undefined {
  const value = options[name];
  if (value === undefined || typeof value === 'string') return value;
  if (typeof value === 'number') return String(value);
  throw wrongOption(name, value, 'a text');
}

/** A yes or no; the command line gives texts, or `true` for a name alone. */
export function flagOption(options: Options, name: string): boolean | undefined {
  const value = options[name];
  if (value === undefined || typeof value === 'boolean') return value;
  if (value === 'true' || value === 'yes' || value === '1') return true;
  if (value === 'false' || value === 'no' || value === '0') return false;
  throw wrongOption(name, value, 'true or false');
}

/** A whole number between two bounds. */
export function countOption(
  options: Options,
  name: string,
  { least = 0, most = Number.MAX_SAFE_INTEGER }: { readonly least?: number; readonly most?: number } = {},
): number | undefined {
  const value = options[name];
  if (value === undefined) return undefined;
  const count = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  if (typeof count === 'number' && Number.isSafeInteger(count) && count >= least && count <= most) return count;
  throw wrongOption(
    name,
    value,
    most === Number.MAX_SAFE_INTEGER ? `a whole number from ${least}` : `a whole number from ${least} to ${most}`,
  );
}

/** One of a few words. */
export function choiceOption<T extends string>(options: Options, name: string, allowed: readonly T[]): T | undefined {
  const value = options[name];
  if (value === undefined || allowed.includes(value as T)) return value as T | undefined;
  throw wrongOption(name, value, `one of ${allowed.join(', ')}`);
}

/** The error for an option's value. */
export function wrongOption(name: string, given: unknown, allowed: string): ModelwrightError {
  return new ModelwrightError(
    'invalid-configuration',
    `option '${name}' is ${JSON.stringify(given)}; it takes ${allowed}`,
    {
      given,
      allowed,
    },
  );
}
