import { expect, test } from 'vitest';
import { formatBytes, formatCount, formatExtents, formatMilliseconds, plural } from './format.js';
import { indent, renderTable } from './table.js';

test('columns line up, whatever color their cells have', () => {
  const table = renderTable(
    [{ heading: 'op' }, { heading: 'count', align: 'right' }],
    [
      ['\u001b[1mConv\u001b[22m', '2'],
      ['Relu', '1,234'],
    ],
  );
  expect(table).toBe('op    count\n\u001b[1mConv\u001b[22m      2\nRelu  1,234');
});

test('without headings there is no heading line', () => {
  expect(renderTable([{ heading: '' }, { heading: '' }], [['a', 'b'], ['ccc']])).toBe('a    b\nccc');
});

test('indent leaves empty lines empty', () => {
  expect(indent('a\n\nb')).toBe('  a\n\n  b');
});

test.each([
  [0, '0 bytes'],
  [999, '999 bytes'],
  [1000, '1.00 kB'],
  [1_686_568, '1.69 MB'],
  [45_000_000, '45.0 MB'],
  [2 ** 31, '2.15 GB'],
])('%i bytes', (sizeBytes, expected) => {
  expect(formatBytes(sizeBytes)).toBe(expected);
});

test.each([
  [0.01234, '0.0123 ms'],
  [12.345, '12.3 ms'],
  [123.4, '123 ms'],
  [12345, '12.3 s'],
])('%d ms', (milliseconds, expected) => {
  expect(formatMilliseconds(milliseconds)).toBe(expected);
});

test('counts', () => {
  expect([formatCount(421642), plural(1, 'node'), plural(2, 'node')]).toEqual(['421,642', '1 node', '2 nodes']);
});

test('extents', () => {
  expect(formatExtents(['batch', 3, 28])).toBe('[batch, 3, 28]');
  expect(formatExtents([`floor(${'x'.repeat(40)}/2)`, 4])).toBe('[…, 4]');
});
