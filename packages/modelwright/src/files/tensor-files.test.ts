import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromNumbers, tensor } from '@modelwright/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeNpy } from './npy.js';
import { encodeNpz } from './npz.js';
import { type NamedType, readTensorFile, writeTensorFile } from './tensor-files.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tensor-files-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const write = (name: string, content: string | Uint8Array): string => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};
const x: NamedType = { name: 'x', dtype: 'float32', shape: ['batch', 2] };
const ids: NamedType = { name: 'ids', dtype: 'int64', shape: [2] };

describe('JSON', () => {
  test('an array is for the only input, in its dtype', async () => {
    const file = write('a.json', '[[1, 2.5]]');
    expect((await readTensorFile(file, [x])).tensors).toEqual({ x: tensor([[1, 2.5]]) });
  });

  test('an object names its inputs; int64 beyond 2⁵³ is text', async () => {
    const file = write('b.json', '{"x": [[1, 2]], "ids": [1, "9007199254740993"]}');
    const expected = { x: tensor([[1, 2]]), ids: tensor([1n, 9007199254740993n]) };
    expect((await readTensorFile(file, [x, ids])).tensors).toEqual(expected);
  });

  test('numbers that JSON lacks survive both ways', async () => {
    const tensors = { x: tensor([[Number.NaN, -Infinity]]), ids: tensor([1n, 9007199254740993n]) };
    await writeTensorFile(join(folder, 'c.json'), tensors);
    expect((await readTensorFile(join(folder, 'c.json'), [x, ids])).tensors).toEqual(tensors);
  });

  test('floats are written short and read back exactly', async () => {
    const tensors = { x: fromNumbers('float32', [1, 2], [0.1, 1 / 3]) };
    await writeTensorFile(join(folder, 'd.json'), tensors);
    expect((await readTensorFile(join(folder, 'd.json'), [x])).tensors).toEqual(tensors);
  });

  test.each([
    ['[[1, 2], [3]]', 'invalid-data', 'ragged'],
    ['[["one"]]', 'invalid-data', '"one" is not a number'],
    ['[[1,', 'invalid-data', 'not JSON'],
    ['{"y": [1]}', 'invalid-argument', "the model's inputs are: x"],
  ])('%s is refused', async (text, code, message) => {
    const file = write('bad.json', text);
    await expect(readTensorFile(file, [x])).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
  });
});

test('an .npy file is for the only input, and must say which when there are more', async () => {
  const file = write('a.npy', encodeNpy(tensor([[1, 2]])));
  expect((await readTensorFile(file, [x])).tensors).toEqual({ x: tensor([[1, 2]]) });
  await expect(readTensorFile(file, [x, ids])).rejects.toMatchObject({ code: 'invalid-argument' });
});

test('the unnamed array of an .npz is for the only input', async () => {
  const file = write('a.npz', encodeNpz({ arr_0: tensor([[1, 2]]) }));
  expect((await readTensorFile(file, [x])).tensors).toEqual({ x: tensor([[1, 2]]) });
});

test.each([
  ['missing.npy', 'file-unreadable', 'no such file'],
  ['a.csv', 'invalid-argument', 'known are .npy, .npz, .json, .png'],
])('reading %s: %s', async (name, code, message) => {
  const read = readTensorFile(join(folder, name), [x]);
  await expect(read).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
});

test.each([
  ['none/x.npz', 'file-unwritable', 'no such file'],
  ['x.npy', 'invalid-argument', 'can hold one tensor'],
  ['x.txt', 'invalid-argument', 'known are'],
])('writing %s: %s', async (name, code, message) => {
  const written = writeTensorFile(join(folder, name), { a: tensor([1]), b: tensor([2]) });
  await expect(written).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
});
