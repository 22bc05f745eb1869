import { expect, test } from 'vitest';
import { constantSparsity, polynomialSparsity, type SparsitySchedule } from './sparsity-schedule.js';

const due = (schedule: SparsitySchedule, steps: number): number[] =>
  Array.from({ length: steps }, (_, step) => step).filter((step) => schedule.isDue(step));

test('a constant sparsity is due from begin to end, every few steps', () => {
  expect(due(constantSparsity({ target: 0.5, begin: 3, end: 11, frequency: 4 }), 20)).toEqual([3, 7, 11]);
  expect(due(constantSparsity({ target: 0.5, begin: 2, frequency: 5 }), 14)).toEqual([2, 7, 12]);
  expect(constantSparsity({ target: 0.5 }).sparsityAt(7)).toBe(0.5);
});

test('a polynomial one rises from begin to end and ends there, whatever the frequency', () => {
  const schedule = polynomialSparsity({ initial: 0.2, final: 0.8, begin: 10, end: 20, power: 3, frequency: 4 });
  expect(due(schedule, 40)).toEqual([10, 14, 18, 20]);
  expect(schedule.sparsityAt(0)).toBeCloseTo(0.2, 12);
  expect(schedule.sparsityAt(15)).toBeCloseTo(0.8 - 0.6 * 0.5 ** 3, 12);
  expect([20, 99].map((step) => schedule.sparsityAt(step))).toEqual([0.8, 0.8]);
  expect(polynomialSparsity({ final: 0.5, end: 4, power: 1 }).sparsityAt(2)).toBeCloseTo(0.25, 12);
});

test('numbers out of range are refused', () => {
  expect(() => constantSparsity({ target: 1 })).toThrow(/target is 1/);
  expect(() => constantSparsity({ target: 0.5, frequency: 0 })).toThrow(/frequency is 0/);
  expect(() => polynomialSparsity({ final: 0.5, begin: 9, end: -1 })).toThrow(/begin is 9 and end -1/);
  expect(() => polynomialSparsity({ initial: -1, final: 0.5, end: 9 })).toThrow(/initial is -1/);
});
