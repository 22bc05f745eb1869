import { ModelwrightError } from '@modelwright/core';
import { editDistance } from './edit-distance.js';

/** One text or many. */
export type Texts = string | readonly string[];

/**
 * Character error rate: edits of characters that make the readings the references, as a share of the characters of the
 * references. 0 is perfect; more than 1 is possible.
 *
 * @param references - What was written.
 * @param readings - What was read, text by text.
 * @throws {@link ModelwrightError} `shape-mismatch` when there are not as many readings as references.
 */
export function characterErrorRate(references: Texts, readings: Texts): number {
  return errorRate(references, readings, (text) => [...text]);
}

/**
 * Word error rate: as {@link characterErrorRate}, of words between white space.
 *
 * @throws {@link ModelwrightError} `shape-mismatch` when there are not as many readings as references.
 */
export function wordErrorRate(references: Texts, readings: Texts): number {
  return errorRate(references, readings, (text) => text.split(/\s+/u).filter((word) => word !== ''));
}

function errorRate(references: Texts, readings: Texts, split: (text: string) => readonly string[]): number {
  const [wanted, given] = [references, readings].map((texts) => (typeof texts === 'string' ? [texts] : texts));
  if (wanted?.length !== given?.length) {
    throw new ModelwrightError(
      'shape-mismatch',
      `${given?.length} readings were given for ${wanted?.length} references`,
      { given: given?.length, allowed: wanted?.length },
    );
  }
  let [edits, elements] = [0, 0];
  for (const [index, reference] of (wanted ?? []).entries()) {
    const expected = split(reference);
    edits += editDistance(expected, split(given?.[index] as string));
    elements += expected.length;
  }
  return edits === 0 ? 0 : edits / elements;
}
