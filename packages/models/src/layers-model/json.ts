import { ModelwrightError } from '@modelwright/core';

/** An object of a JSON text. */
export interface JsonRecord {
  readonly [key: string]: unknown;
}

/** @throws {@link ModelwrightError} `invalid-data` naming what the text was to be. */
export function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ModelwrightError('invalid-data', `${what} is no JSON: ${(error as Error).message}`, {});
  }
}

/** @throws {@link ModelwrightError} `invalid-data` naming what should be an object. */
export function asRecord(given: unknown, what: string): JsonRecord {
  if (typeof given === 'object' && given !== null && !Array.isArray(given)) return given as JsonRecord;
  throw unexpected(what, 'an object', given);
}

/** @throws {@link ModelwrightError} `invalid-data` naming what should be a list. */
export function asList(given: unknown, what: string): readonly unknown[] {
  if (Array.isArray(given)) return given;
  throw unexpected(what, 'a list', given);
}

/** @throws {@link ModelwrightError} `invalid-data` naming what should be a text. */
export function asText(given: unknown, what: string): string {
  if (typeof given === 'string') return given;
  throw unexpected(what, 'a text', given);
}

function unexpected(what: string, allowed: string, given: unknown): ModelwrightError {
  const shown = JSON.stringify(given) ?? 'nothing';
  return new ModelwrightError('invalid-data', `${what} is ${shown.slice(0, 80)}; ${allowed} is expected`, { allowed });
}
