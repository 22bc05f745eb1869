import { ModelwrightError, type Tensor, toNumbers } from '@modelwright/core';
import type { EmbeddingOutput, LabelsOutput } from './processing.js';

/** A label and how sure the model is of it. */
export interface LabelScore {
  readonly label: string;
  readonly score: number;
}

/**
 * The best labels of each example.
 *
 * @param scores - `[examples, labels]`; `[examples, 1]` or `[examples]` is the probability of the second of two labels.
 */
export function labelsOf(scores: Tensor, spec: LabelsOutput, output: string): readonly (readonly LabelScore[])[] {
  const { labels, top = 5, activation = 'none' } = spec;
  return rowsOf(scores).map((row) => {
    const isBinary = row.length === 1 && labels.length === 2;
    const values = activated(row, activation);
    const each = isBinary ? [1 - values[0]!, values[0]!] : values;
    if (each.length !== labels.length) {
      throw new ModelwrightError(
        'shape-mismatch',
        `output '${output}' has ${each.length} scores, ${labels.length} labels are known`,
        {
          given: each.length,
          allowed: labels.length,
        },
      );
    }
    return labels
      .map((label, index) => ({ label, score: each[index]! }))
      .sort((a, b) => b.score - a.score)
      .slice(0, top);
  });
}

function activated(row: readonly number[], activation: NonNullable<LabelsOutput['activation']>): readonly number[] {
  if (activation === 'none') return row;
  if (activation === 'sigmoid') return row.map((value) => 1 / (1 + Math.exp(-value)));
  const most = Math.max(...row);
  const powers = row.map((value) => Math.exp(value - most));
  const sum = powers.reduce((total, value) => total + value, 0);
  return powers.map((value) => value / sum);
}

/** One vector an example, of length one where that is asked. */
export function embeddingsOf(vectors: Tensor, { normalize = false }: EmbeddingOutput): readonly (readonly number[])[] {
  return rowsOf(vectors).map((row) => {
    if (!normalize) return row;
    const length = Math.hypot(...row) || 1;
    return row.map((value) => value / length);
  });
}

/** Nested numbers of each example. */
export function numbersOf(tensor: Tensor): readonly unknown[] {
  const values = tensor.dtype === 'string' ? (tensor.data as string[]) : [...toNumbers(tensor)];
  return nested(values, tensor.shape.length === 0 ? [1] : tensor.shape);
}

function nested(values: readonly unknown[], shape: readonly number[]): readonly unknown[] {
  const [extent = 0, ...rest] = shape;
  if (rest.length === 0) return values;
  const size = rest.reduce((product, each) => product * each, 1);
  return Array.from({ length: extent }, (_, index) => nested(values.slice(index * size, (index + 1) * size), rest));
}

function rowsOf(tensor: Tensor): readonly (readonly number[])[] {
  const count = tensor.shape[0] ?? 1;
  const values = [...toNumbers(tensor)];
  const size = count === 0 ? 0 : values.length / count;
  return Array.from({ length: count }, (_, index) => values.slice(index * size, (index + 1) * size));
}
