import { ModelwrightError } from '@modelwright/core';
import type { Processing } from './processing.js';

/** What a field may be: a kind of value, one of some words, or a check; `?` where it may be left out. */
type Rule = readonly [fits: (value: unknown) => boolean, what: string, isOptional?: 'optional'];
type Rules = { readonly [field: string]: Rule };

const isText = (value: unknown): boolean => typeof value === 'string' && value !== '';
const isFlag = (value: unknown): boolean => typeof value === 'boolean';
const isNumber = (value: unknown): boolean => typeof value === 'number' && Number.isFinite(value);
const countUpTo =
  (most: number) =>
  (value: unknown): boolean =>
    Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= most;
const listOf =
  (fits: (value: unknown) => boolean, most: number) =>
  (value: unknown): boolean =>
    Array.isArray(value) && value.length <= most && value.every(fits);
const oneOf = (...words: readonly unknown[]): Rule => [(value) => words.includes(value), `one of ${words.join(', ')}`];

const text: Rule = [isText, 'a text'];
const flag: Rule = [isFlag, 'true or false'];
const number: Rule = [isNumber, 'a number'];
const side: Rule = [countUpTo(2 ** 14), 'a whole number from 1 to 16384'];
const tokens: Rule = [countUpTo(2 ** 24), 'a whole number from 1'];
const numbers: Rule = [listOf(isNumber, 3), 'a list of one number or three'];
const optional = ([fits, what]: Rule): Rule => [fits, what, 'optional'];

const inputRules: { readonly [kind: string]: Rules } = {
  image: {
    width: side,
    height: side,
    channels: oneOf(1, 3),
    layout: oneOf('channelsFirst', 'channelsLast'),
    resize: optional(oneOf('bilinear', 'nearest')),
    fit: optional(oneOf('fill', 'contain', 'cover')),
    scale: optional(number),
    mean: optional(numbers),
    std: optional(numbers),
    invert: optional(flag),
  },
  text: {
    tokenizer: text,
    maxLength: optional(tokens),
    padTo: optional(tokens),
    padding: optional(oneOf('pre', 'post')),
    truncating: optional(oneOf('pre', 'post')),
    startToken: optional(text),
    endToken: optional(text),
    mask: optional(text),
  },
};

const outputRules: { readonly [kind: string]: Rules } = {
  labels: {
    labels: [listOf((label) => typeof label === 'string', 1_000_000), 'a list of texts'],
    top: optional(tokens),
    activation: optional(oneOf('none', 'softmax', 'sigmoid')),
  },
  generation: {
    tokenizer: text,
    chatTemplate: optional([(value) => typeof value === 'string', 'a text']),
    stop: optional([listOf(isText, 64), 'a list of at most 64 texts']),
  },
  embedding: { normalize: optional(flag) },
};

/**
 * Checks processing that was read from somewhere. Fields that are not known here are let by: they may be younger.
 *
 * @param where - What errors call the place it is from.
 * @throws {@link ModelwrightError} `invalid-data` naming the field.
 */
export function checkProcessing(given: unknown, where: string): Processing {
  const { inputs, outputs } = objectOf(given, `the processing of ${where}`);
  checkSide(inputs, inputRules, { where, side: 'inputs' });
  checkSide(outputs, outputRules, { where, side: 'outputs' });
  return given as Processing;
}

function checkSide(
  given: unknown,
  kinds: { readonly [kind: string]: Rules },
  { where, side: name }: { readonly where: string; readonly side: string },
): void {
  if (given === undefined) return;
  for (const [tensor, spec] of Object.entries(objectOf(given, `'${name}' in the processing of ${where}`))) {
    const at = `'${name}.${tensor}' in the processing of ${where}`;
    const fields = objectOf(spec, at);
    const kind = String(fields['kind']);
    const rules = Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
    if (rules === undefined)
      throw invalid(at, `is of the kind ${JSON.stringify(fields['kind'])}; known are ${Object.keys(kinds).join(', ')}`);
    for (const [field, [fits, what, isOptional]] of Object.entries(rules)) {
      const value = fields[field];
      if (value === undefined ? isOptional !== 'optional' : !fits(value))
        throw invalid(at, `: '${field}' is not ${what}`);
    }
  }
}

function objectOf(given: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof given === 'object' && given !== null && !Array.isArray(given)) return given as Record<string, unknown>;
  throw invalid(what, 'is no object');
}

function invalid(what: string, why: string): ModelwrightError {
  return new ModelwrightError('invalid-data', why.startsWith(':') ? `${what}${why}` : `${what} ${why}`);
}
