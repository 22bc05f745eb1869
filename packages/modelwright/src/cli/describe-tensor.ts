import { formatShape, isFloat, reshapeTensor, type Tensor, toNumbers } from '@modelwright/core';
import { tensorToJson } from '../files/json-tensors.js';

const shownRows = 8;
const shownValues = 12;

/**
 * A tensor in a few lines: the best classes of each row where it holds scores, else its first values and its range.
 *
 * @param topCount - How many classes of a row.
 */
export function describeTensor(name: string, tensor: Tensor, topCount: number): string {
  const heading = `${name}  ${tensor.dtype} ${formatShape(tensor.shape)}`;
  const lines = isScores(tensor) ? describeScores(tensor, topCount) : describeValues(tensor);
  return [heading, ...lines.map((line) => `  ${line}`)].join('\n');
}

function isScores({ dtype, shape }: Tensor): boolean {
  return isFloat(dtype) && shape.length === 2 && shape[0]! > 0 && shape[1]! > 1;
}

function describeScores(tensor: Tensor, topCount: number): readonly string[] {
  const [rows, classes] = tensor.shape as readonly [number, number];
  const values = toNumbers(tensor);
  const lines = Array.from({ length: Math.min(rows, shownRows) }, (_, row) => {
    const scores = values.subarray(row * classes, (row + 1) * classes);
    const best = Array.from(scores.keys()).sort((a, b) => scores[b]! - scores[a]!);
    const shown = best
      .slice(0, topCount)
      .map((index) => `${index}: ${formatScore(scores[index]!, isDistribution(scores))}`);
    return `${rows > 1 ? `row ${row}   ` : ''}${shown.join('   ')}`;
  });
  return rows > shownRows ? [...lines, `… ${rows - shownRows} more rows`] : lines;
}

function isDistribution(scores: Float64Array): boolean {
  const total = scores.reduce((sum, score) => sum + score, 0);
  return Math.abs(total - 1) < 1e-3 && scores.every((score) => score >= 0);
}

function formatScore(score: number, distribution: boolean): string {
  return distribution ? `${(score * 100).toFixed(2)} %` : String(Number(score.toPrecision(5)));
}

function describeValues(tensor: Tensor): readonly string[] {
  if (tensor.elementCount === 0) return ['no elements'];
  const flat = tensorToJson(reshapeTensor(tensor, [tensor.elementCount])) as readonly unknown[];
  const more = flat.length > shownValues ? ', …' : '';
  const lines = [`${flat.slice(0, shownValues).join(', ')}${more}`];
  if (flat.length > shownValues && tensor.dtype !== 'string') lines.push(describeRange(toNumbers(tensor)));
  return lines;
}

function describeRange(values: Float64Array): string {
  let [smallest, largest, sum, unusual] = [Infinity, -Infinity, 0, 0];
  for (const value of values) {
    if (!Number.isFinite(value)) unusual++;
    smallest = Math.min(smallest, value);
    largest = Math.max(largest, value);
    sum += value;
  }
  const short = (value: number): number => Number(value.toPrecision(5));
  const warning = unusual > 0 ? `, ${unusual} not finite` : '';
  return `minimum ${short(smallest)}, mean ${short(sum / values.length)}, maximum ${short(largest)}${warning}`;
}
