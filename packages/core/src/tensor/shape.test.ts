import { expect, test } from 'vitest';
import { addDimensions, type Dimension, floorDivideDimensions, multiplyDimensions } from './shape.js';

/** Value of an extent's expression for a binding of its symbols. */
function numberOf(extent: Dimension, binding: { readonly [symbol: string]: number }): number {
  const text = String(extent).replace(/floor\(/g, 'Math.floor(');
  return Number(new Function(...Object.keys(binding), `return ${text}`)(...Object.values(binding)));
}

const binding = { batch: 7, seq: 12, k: 5 };
const extents: readonly Dimension[] = [
  0,
  1,
  3,
  'batch',
  'seq',
  'seq-1',
  'batch+2',
  '4*batch',
  'batch*seq',
  'batch+seq',
  '2*seq-3',
  'floor(seq/5)',
];

test.each([
  ['addDimensions', addDimensions, (a: number, b: number) => a + b],
  ['multiplyDimensions', multiplyDimensions, (a: number, b: number) => a * b],
] as const)('%s means what the numbers do, for all pairs and once more', (_, combine, apply) => {
  for (const a of extents) {
    for (const b of extents) {
      const once = combine(a, b);
      expect(numberOf(once, binding), `${a}, ${b} → ${once}`).toBe(apply(numberOf(a, binding), numberOf(b, binding)));
      for (const c of extents) {
        const twice = multiplyDimensions(once, c);
        expect(numberOf(twice, binding), `${twice}`).toBe(numberOf(once, binding) * numberOf(c, binding));
        const sum = addDimensions(c, once);
        expect(numberOf(sum, binding), `${sum}`).toBe(numberOf(once, binding) + numberOf(c, binding));
      }
    }
  }
});

test('floorDivideDimensions means what the numbers do', () => {
  for (const a of extents) {
    for (const b of extents) {
      if (numberOf(b, binding) === 0) continue;
      const quotient = floorDivideDimensions(a, b);
      expect(numberOf(quotient, binding), `${a} / ${b} → ${quotient}`).toBe(
        Math.floor(numberOf(a, binding) / numberOf(b, binding)),
      );
    }
  }
});

test('what is undone is gone', () => {
  expect(addDimensions(addDimensions('seq', -1), 1)).toBe('seq');
  expect(floorDivideDimensions(multiplyDimensions(multiplyDimensions('batch', 8), 8), 64)).toBe('batch');
  expect(floorDivideDimensions(addDimensions('seq', 'seq'), 2)).toBe('seq');
  expect(multiplyDimensions('batch', 0)).toBe(0);
});
