import { ModelwrightError, Tensor, toNumbers } from '@modelwright/core';

/**
 * The best classes of every row as texts `value:index` or `value:index:label`, the highest first.
 *
 * @param scores - `[…, classes]`
 * @param count - How many; all if there are fewer.
 * @returns string, `[…, min(count, classes)]`.
 * @throws {@link ModelwrightError} `unsupported-dtype` for strings, `unsupported-shape` for a scalar.
 * @see Triton's classification extension.
 */
export function classify(scores: Tensor, count: number, labels: readonly string[] = []): Tensor<'string'> {
  const classes = scores.shape.at(-1);
  if (classes === undefined) throw new ModelwrightError('unsupported-shape', 'a scalar output has no classes');
  if (scores.dtype === 'string') throw new ModelwrightError('unsupported-dtype', 'an output of texts has no classes');
  const values = toNumbers(scores);
  const kept = Math.min(count, classes);
  const texts: string[] = [];
  for (let start = 0; start < values.length; start += classes) {
    const row = values.subarray(start, start + classes);
    for (const index of bestOf(row, kept)) {
      const label = labels[index];
      texts.push(`${row[index]}:${index}${label === undefined ? '' : `:${label}`}`);
    }
  }
  return new Tensor('string', [...scores.shape.slice(0, -1), kept], texts);
}

function bestOf(row: Float64Array, count: number): readonly number[] {
  const order = Array.from(row, (_, index) => index);
  order.sort((one, other) => (row[other] as number) - (row[one] as number) || one - other);
  return order.slice(0, count);
}
