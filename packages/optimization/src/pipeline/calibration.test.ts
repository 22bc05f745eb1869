import { type TensorMap, tensor, toNumbers } from '@modelwright/core';
import { dense, sequential } from '@modelwright/models';
import { fromArrays } from '@modelwright/training';
import { describe, expect, test } from 'vitest';
import { type CalibrationSamples, calibrationBatches } from './calibration.js';

const model = sequential({ inputShape: [2], layers: [dense({ units: 1 })] });
const rows = [
  [1, 2],
  [3, 4],
  [5, 6],
];

async function read(samples: CalibrationSamples): Promise<unknown> {
  const all: (readonly [readonly number[], readonly number[]])[] = [];
  for await (const batch of calibrationBatches(model, samples)()) {
    const given = (batch as TensorMap)['input'];
    if (given !== undefined) all.push([[...(given.shape as readonly number[])], [...toNumbers(given)]]);
  }
  return all;
}

describe('reads', () => {
  test.each<[string, CalibrationSamples]>([
    ['nested numbers', rows],
    ['flat storage', Float32Array.from(rows.flat())],
    ['a tensor', tensor(rows)],
    ['tensors by name', { input: tensor(rows) }],
    ['nested numbers by name', { input: rows }],
    ['examples one by one', rows.map((row) => tensor(row))],
    ['a data set', fromArrays({ x: rows, y: [0, 1, 0] })],
    ['a generator', () => rows.values()],
  ])('%s', async (_, samples) => {
    expect(await read(samples)).toEqual([
      [
        [3, 2],
        [1, 2, 3, 4, 5, 6],
      ],
    ]);
  });
});

test('says which input is missing, and what does not fit', async () => {
  await expect(read({ other: rows })).rejects.toMatchObject({ code: 'invalid-argument', details: { input: 'input' } });
  await expect(read(tensor([[[1, 2, 3]], [[4, 5, 6]]], { shape: [2, 1, 3, 1] }))).rejects.toMatchObject({
    code: 'shape-mismatch',
  });
});
