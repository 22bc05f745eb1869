import type { Dimension, Shape } from '../tensor/shape.js';

/** An equation with a label for every axis; those under `...` are named `#k`, counted from the last. */
export interface EinsumTerms {
  readonly operands: readonly (readonly string[])[];
  readonly output: readonly string[];
}

/**
 * Reads an equation such as `'bij,bjk->bik'` or `'...ii->...i'` for operands of the given ranks. Without `->` the output
 * has the axes under `...`, then the letters that occur once, in alphabetical order.
 *
 * @returns the terms, or a sentence saying what is wrong.
 */
export function parseEinsum(equation: string, ranks: readonly number[]): EinsumTerms | string {
  const [left, right, ...rest] = equation.replaceAll(' ', '').split('->');
  const terms = (left ?? '').split(',');
  if (rest.length > 0) return "'->' stands more than once";
  if (terms.length !== ranks.length) return `${terms.length} terms, but ${ranks.length} operands`;
  const wrong = [...terms, right ?? ''].find((term) => !/^[A-Za-z]*(\.\.\.)?[A-Za-z]*$/.test(term));
  if (wrong !== undefined) return `'${wrong}' is not letters around at most one '...'`;
  const operands: (readonly string[])[] = [];
  for (const [index, term] of terms.entries()) {
    const labels = labelsOf(term, ranks[index] as number);
    if (labels === undefined) return `term '${term}' does not fit operand ${index} of rank ${ranks[index]}`;
    operands.push(labels);
  }
  const output = right === undefined ? implicitOutput(operands) : explicitOutput(right, operands);
  return typeof output === 'string' ? output : { operands, output };
}

function labelsOf(term: string, rank: number): readonly string[] | undefined {
  const [head, tail] = term.split('...') as [string, string | undefined];
  if (tail === undefined) return head.length === rank ? [...head] : undefined;
  const hidden = rank - head.length - tail.length;
  return hidden < 0 ? undefined : [...head, ...ellipsisLabels(hidden), ...tail];
}

// From the last: operands of different rank under '...' broadcast at their ends.
function ellipsisLabels(count: number): string[] {
  return Array.from({ length: count }, (_, at) => `#${count - 1 - at}`);
}

function hiddenCount(operands: readonly (readonly string[])[]): number {
  return Math.max(...operands.map((labels) => labels.filter((label) => label.startsWith('#')).length));
}

function implicitOutput(operands: readonly (readonly string[])[]): readonly string[] {
  const letters = operands.flat().filter((label) => !label.startsWith('#'));
  const single = letters.filter((label) => letters.indexOf(label) === letters.lastIndexOf(label));
  return [...ellipsisLabels(hiddenCount(operands)), ...single.sort()];
}

function explicitOutput(term: string, operands: readonly (readonly string[])[]): readonly string[] | string {
  const [head, tail] = term.split('...') as [string, string | undefined];
  const output = tail === undefined ? [...head] : [...head, ...ellipsisLabels(hiddenCount(operands)), ...tail];
  const known = new Set(operands.flat());
  const unknown = output.find((label) => !known.has(label));
  if (unknown !== undefined) return `'${unknown}' of the output is in no operand`;
  return new Set(output).size === output.length ? output : 'the output repeats a letter';
}

/**
 * Extent of each label over all operands; 1 broadcasts.
 *
 * @returns the extents, or the label whose extents contradict each other.
 */
export function extentsOfLabels(terms: EinsumTerms, shapes: readonly Shape[]): ReadonlyMap<string, Dimension> | string {
  const extents = new Map<string, Dimension>();
  for (const [operand, labels] of terms.operands.entries()) {
    for (const [axis, label] of labels.entries()) {
      const extent = shapes[operand]?.[axis] as Dimension;
      const known = extents.get(label) ?? 1;
      if (typeof known === 'number' && typeof extent === 'number' && known !== 1 && extent !== 1 && known !== extent) {
        return label;
      }
      if (known === 1 || (typeof known === 'string' && typeof extent === 'number' && extent !== 1)) {
        extents.set(label, extent);
      }
    }
  }
  return extents;
}
