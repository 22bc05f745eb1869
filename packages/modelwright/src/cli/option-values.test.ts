import { expect, test } from 'vitest';
import {
  collectExtent,
  collectNamedFile,
  collectNames,
  parseCount,
  parseNumbers,
  parsePositive,
} from './option-values.js';

test('files collect in order, with and without names', () => {
  const files = ['a.npy', 'x=b.npy', 'x=dir/c=d.npy', './odd=name.npy', '-'].reduce(
    (all, value) => [...collectNamedFile(value, all)],
    [] as readonly { file: string; name?: string }[],
  );
  expect(files).toEqual([
    { file: 'a.npy' },
    { name: 'x', file: 'b.npy' },
    { name: 'x', file: 'dir/c=d.npy' },
    { file: './odd=name.npy' },
    { file: '-' },
  ]);
});

test('extents and names collect', () => {
  expect(collectExtent('width=3', collectExtent('height=2'))).toEqual({ height: 2, width: 3 });
  expect(collectNames('c', collectNames('a,b'))).toEqual(['a', 'b', 'c']);
});

test('numbers', () => {
  expect(parseNumbers('0.485,-1,2e3')).toEqual([0.485, -1, 2000]);
  expect(parsePositive('1/255')).toBe(1 / 255);
  expect(parseCount('64')).toBe(64);
});

test.each<[string, (value: string) => unknown, string]>([
  ['an extent without a number', collectExtent, 'height'],
  ['a fractional extent', collectExtent, 'height=2.5'],
  ['words', parseNumbers, 'one'],
  ['nothing', parseNumbers, ''],
  ['zero', parsePositive, '0'],
  ['a negative number', parsePositive, '-1'],
  ['two slashes', parsePositive, '1/2/3'],
  ['a division by zero', parsePositive, '1/0'],
  ['a count of zero', parseCount, '0'],
  ['a fractional count', parseCount, '1.5'],
])('%s is refused', (_what, parse, value) => {
  expect(() => parse(value)).toThrow(expect.objectContaining({ code: 'commander.invalidArgument' }));
});
