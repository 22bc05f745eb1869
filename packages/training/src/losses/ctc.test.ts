import { readFileSync } from 'node:fs';
import { backpropagate, evaluateGraph, GraphBuilder, tensor, toNumbers } from '@modelwright/core';
import { describe, expect, test } from 'vitest';
import { Arithmetic } from '../symbolic/arithmetic.js';
import { type CtcOptions, ctc } from './ctc.js';

interface CtcCase {
  readonly name: string;
  readonly blank: number;
  readonly logits: readonly (readonly (readonly number[])[])[];
  readonly labels: readonly (readonly number[])[];
  readonly inputLengths: readonly number[];
  readonly weights: readonly number[];
  readonly losses: readonly number[];
  readonly gradient: readonly (readonly (readonly number[])[])[];
}

const cases = JSON.parse(
  readFileSync(new URL('../../fixtures/ctc.json', import.meta.url), 'utf8'),
) as readonly CtcCase[];

/** Losses of the rows, and the gradient of their weighted mean. */
function run(
  { logits, labels, inputLengths, weights }: CtcCase,
  options: CtcOptions,
  masked = true,
): { losses: Float64Array; gradient: Float64Array } {
  const builder = new GraphBuilder('ctc');
  const arithmetic = new Arithmetic(builder);
  const x = tensor(logits, { dtype: 'float64' });
  const steps = logits[0]!.map((_, step) => step);
  const mask = tensor(
    inputLengths.map((length) => steps.map((step) => step < length)),
    { dtype: 'bool' },
  );
  const [input, given] = [builder.input('x', x.dtype, x.shape), builder.input('mask', 'bool', mask.shape)];
  const target = builder.constant(
    labels.flat().length === 0
      ? tensor([], { dtype: 'int64', shape: [labels.length, 0] })
      : tensor(labels, { dtype: 'int64' }),
  );
  const losses = ctc(options).build({
    arithmetic,
    target,
    prediction: { value: input },
    mask: masked ? given : undefined,
  });
  const scale = builder.constant(tensor(weights, { dtype: 'float64' }));
  const mean = arithmetic.mean(arithmetic.multiply(losses, scale));
  const [gradient] = backpropagate(builder, [{ value: mean }], [input]);
  builder.output('losses', losses);
  builder.output('gradient', gradient!);
  const results = evaluateGraph(builder.build(), { x, mask });
  return { losses: toNumbers(results['losses']!), gradient: toNumbers(results['gradient']!) };
}

function expectClose(actual: Float64Array, expected: readonly number[]): void {
  expect(actual.length).toBe(expected.length);
  for (const [index, value] of expected.entries()) expect(actual[index]).toBeCloseTo(value, 9);
}

describe.each(cases)('CTC: $name', (each) => {
  test('losses and gradient equal PyTorch', () => {
    const { losses, gradient } = run(each, { fromLogits: true, blank: each.blank, zeroInfinity: true });
    expectClose(losses, each.losses);
    expectClose(gradient, each.gradient.flat(2));
  });
});

test('without a mask every step counts', () => {
  const { losses } = run(cases[0]!, { fromLogits: true }, false);
  expectClose(losses, cases[0]!.losses);
});

test('a row that no path can spell has an infinite loss and no gradient, unless it is to count as 0', () => {
  const each = cases.find(({ name }) => name.includes('no path'))!;
  const { losses, gradient } = run(each, { fromLogits: true });
  expect([...losses].map(Number.isFinite)).toEqual([false, false, true]);
  expect([...gradient].every(Number.isFinite)).toBe(true);
});

test('probabilities give the loss that their logarithms give', () => {
  const each = cases[1]!;
  const softmax = (scores: readonly number[]): number[] => {
    const powers = scores.map(Math.exp);
    return powers.map((power) => power / powers.reduce((sum, value) => sum + value));
  };
  const { losses } = run({ ...each, logits: each.logits.map((row) => row.map(softmax)) }, {});
  for (const [row, loss] of each.losses.entries()) expect(losses[row]).toBeCloseTo(loss, 5);
});

test('what cannot be read as steps of classes is refused', () => {
  expect(() => run(cases[0]!, { blank: 5 })).toThrow(/the blank 5/);
});
