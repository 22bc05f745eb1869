/// <reference lib="dom" />
import { type TensorMap, toNumbers } from '@modelwright/core';
import { element } from './elements.js';

interface Label {
  readonly label: string;
  readonly score: number;
}

/** What a model answered for one example: labels with bars, vectors and numbers as text. */
export function answerView(answer: { readonly [output: string]: unknown }): readonly Node[] {
  return Object.entries(answer).flatMap(([name, value]) =>
    isLabels(value) ? labelBars(value) : [element('h3', {}, name), element('pre', {}, textOf(value))],
  );
}

/** Outputs as tensors, for models without processing. */
export function tensorView(outputs: TensorMap): readonly Node[] {
  return Object.entries(outputs).flatMap(([name, tensor]) => [
    element('h3', {}, `${name}: ${tensor.dtype}, ${tensor.shape.join(' × ') || 'one number'}`),
    element('pre', {}, tensor.dtype === 'string' ? [...tensor.data].join('\n') : textOf([...toNumbers(tensor)])),
  ]);
}

function isLabels(value: unknown): value is readonly Label[] {
  return Array.isArray(value) && value.length > 0 && typeof (value[0] as Partial<Label>).label === 'string';
}

function labelBars(labels: readonly Label[]): readonly Node[] {
  const [best] = labels;
  return [
    element('p', { id: 'answer-label', className: 'best' }, best?.label ?? ''),
    element(
      'ol',
      { className: 'labels' },
      ...labels.map(({ label, score }) => {
        // A width in a style attribute would need 'unsafe-inline'; a meter needs none.
        const meter = element('meter', { min: 0, max: 1, value: score });
        return element(
          'li',
          {},
          element('span', {}, label),
          meter,
          element('span', {}, `${(100 * score).toFixed(1)} %`),
        );
      }),
    ),
  ];
}

const mostShown = 32;

function textOf(value: unknown): string {
  if (!Array.isArray(value)) return typeof value === 'object' ? JSON.stringify(value) : String(value);
  const shown = value
    .slice(0, mostShown)
    .map((each) => (typeof each === 'number' ? each.toPrecision(5) : String(each)));
  return shown.join(' ') + (value.length > mostShown ? ` … (${value.length} numbers)` : '');
}
