import { expect, test } from 'vitest';
import { toJson } from './to-json.js';

const value = {
  a: [[1, 2], [3]],
  b: { c: 'x"y', d: undefined, e: [], f: {} },
  g: null,
  h: [{ i: true }],
  j: ['[', '\n'],
};

test('is the same JSON as ever', () => {
  expect(JSON.parse(toJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
});

test('keeps rows on one line', () => {
  expect(
    toJson({
      rows: [
        [1, 2],
        [3, 4],
      ],
    }),
  ).toBe('{\n  "rows": [\n    [1, 2],\n    [3, 4]\n  ]\n}');
});

test('writes bigints as text, and what JSON lacks as null', () => {
  expect(toJson({ a: 2n ** 60n, b: Number.NaN })).toBe('{\n  "a": "1152921504606846976",\n  "b": null\n}');
});
