import { ModelwrightError } from '@modelwright/core';

/**
 * Integers that a double cannot hold come out of {@link parseExact} as strings with this before the digits: the second half of a surrogate
 * pair, which no valid text begins with.
 */
export const integerMark = '\udfff';

/** Integers of 16 digits or more may lie beyond 2⁵³; digits after a point are no matter. */
const longInteger = /(?<![\d.eE+])\d{16,}(?![\d.eE])/;
const stringOrLongInteger = /"[^"\\]*(?:\\.[^"\\]*)*"|(?<![\d.eE+-])-?\d{16,}(?![\d.eE])/gs;

/**
 * Parses JSON without losing the last digits of 64-bit integers, which `JSON.parse` rounds to doubles. Texts without such integers cost one
 * search more.
 *
 * @returns what `JSON.parse` gives, long integers as marked strings; see {@link toExactBigInt}.
 * @throws {@link ModelwrightError} `invalid-argument` with what is wrong where.
 */
export function parseExact(text: string): unknown {
  try {
    if (!longInteger.test(text)) return JSON.parse(text);
    // V8 reads the escape; a raw half of a pair in the text is fine for JSON.parse, too.
    return JSON.parse(
      text.replace(stringOrLongInteger, (match) => (match[0] === '"' ? match : `"${integerMark}${match}"`)),
    );
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split('\n')[0]?.slice(0, 120) : '';
    throw new ModelwrightError('invalid-argument', `the request is not valid JSON: ${reason}`, { cause });
  }
}

/** Whether `value` is a long integer as {@link parseExact} gives it. */
export function isMarkedInteger(value: unknown): value is string {
  return typeof value === 'string' && value.startsWith(integerMark);
}

/**
 * An integer from JSON: a number, a long integer, or decimal digits in a string (what JavaScript and protobuf's JSON write).
 *
 * @returns nothing for anything else.
 */
export function toExactBigInt(value: unknown): bigint | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : undefined;
  if (typeof value !== 'string') return undefined;
  const digits = isMarkedInteger(value) ? value.slice(1) : value;
  return /^-?\d{1,20}$/.test(digits) ? BigInt(digits) : undefined;
}
