import { expect, test } from 'vitest';
import { growthOf } from './trend.js';

const noise = (index: number): number => 3 * Math.sin(index * 12.9898);

test('what grows in every window counts in full, noise or not', () => {
  expect(growthOf(Array.from({ length: 21 }, (_, index) => 100 + 5 * index))).toBe(100);
  expect(growthOf(Array.from({ length: 21 }, (_, index) => 100 + 5 * index + noise(index)))).toBeGreaterThan(90);
});

test('noise and a disturbed window do not count, a single jump for less than half', () => {
  const flat = Array.from({ length: 21 }, (_, index) => noise(index));
  expect(Math.abs(growthOf(flat))).toBeLessThan(4);
  expect(growthOf(flat.map((value, index) => (index < 4 ? value : value + 40)))).toBeLessThan(20);
  expect(growthOf(flat.map((value, index) => (index === 9 ? 1000 : value)))).toBeLessThan(4);
});

test('a series of one window did not grow', () => {
  expect(growthOf([])).toBe(0);
  expect(growthOf([7])).toBe(0);
});
