import { type Tensor, tensor } from '@modelwright/core';
import { describe, expect, test } from 'vitest';
import { bucketByLength } from './bucket-by-length.js';
import type { Dataset } from './dataset.js';
import { fromGenerator } from './from-generator.js';
import type { Sample } from './sample.js';
import { timeseriesWindows } from './timeseries-windows.js';
import { randomTokenBlocks, tokenBlocks } from './token-blocks.js';

const numbers = (field: Sample['inputs'] | undefined): number[] => [...((field as Tensor).data as Float32Array)];
const inputsOf = async (data: Dataset, epoch = 0): Promise<number[][]> =>
  (await data.toArray({ epoch })).map(({ inputs }) => numbers(inputs));
const targetsOf = async (data: Dataset): Promise<number[][]> =>
  (await data.toArray()).map(({ targets }) => numbers(targets));
const series = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];

describe('timeseriesWindows', () => {
  test('slides over the series', async () => {
    expect(await inputsOf(timeseriesWindows({ data: series.slice(0, 5), sequenceLength: 3 }))).toEqual([
      [0, 1, 2],
      [1, 2, 3],
      [2, 3, 4],
    ]);
  });

  test('has the target of the index where a window starts, as Keras has', async () => {
    const data = timeseriesWindows({ data: series, targets: series.slice(3), sequenceLength: 3, sequenceStride: 2 });
    expect(await inputsOf(data)).toEqual([
      [0, 1, 2],
      [2, 3, 4],
      [4, 5, 6],
      [6, 7, 8],
    ]);
    expect(await targetsOf(data)).toEqual([[3], [5], [7], [9]]);
  });

  test('takes every so many steps between two indices', async () => {
    const data = timeseriesWindows({ data: series, sequenceLength: 3, samplingRate: 2, startIndex: 1, endIndex: 8 });
    expect(await inputsOf(data)).toEqual([
      [1, 3, 5],
      [2, 4, 6],
      [3, 5, 7],
    ]);
  });

  test('keeps features, batches and shuffles like arrays', async () => {
    const rows = series.map((value) => [value, -value]);
    const data = timeseriesWindows({ data: rows, targets: rows, sequenceLength: 2 });
    const [first] = await data.batch(4).toArray();
    expect(first).toMatchObject({ inputs: { shape: [4, 2, 2] }, targets: { shape: [4, 2] } });
    const shuffled = await inputsOf(data.shuffle({ seed: 1 }));
    expect(shuffled).not.toEqual(await inputsOf(data));
    expect(shuffled.map(String).sort()).toEqual((await inputsOf(data)).map(String).sort());
    expect(data.cardinality).toBe(9);
  });

  test('a series without room for a window is refused', () => {
    expect(() => timeseriesWindows({ data: series, sequenceLength: 6, samplingRate: 2 })).toThrow(/spans 11 steps/);
    expect(() => timeseriesWindows({ data: series, sequenceLength: 0 })).toThrow(/sequenceLength is 0/);
  });
});

describe('blocks of tokens', () => {
  test('have the following token as target', async () => {
    const data = tokenBlocks(series, { blockLength: 3 });
    expect(await inputsOf(data)).toEqual([
      [0, 1, 2],
      [3, 4, 5],
      [6, 7, 8],
    ]);
    expect(await targetsOf(data)).toEqual([
      [1, 2, 3],
      [4, 5, 6],
      [7, 8, 9],
    ]);
    expect(await inputsOf(tokenBlocks(series, { blockLength: 4, stride: 2 }).batch(2))).toEqual([
      [0, 1, 2, 3, 2, 3, 4, 5],
      [4, 5, 6, 7],
    ]);
  });

  test('of random places are drawn anew in each epoch, and alike each time it is read', async () => {
    const tokens = Int32Array.from({ length: 1000 }, (_, index) => index);
    const data = randomTokenBlocks(tokens, { blockLength: 8, count: 50, seed: 5 });
    const [first, second] = [await inputsOf(data), await inputsOf(data, 1)];
    expect(first.length).toBe(50);
    expect(first).not.toEqual(second);
    expect(await inputsOf(data, 1)).toEqual(second);
    for (const [row, targets] of (await targetsOf(data)).entries()) {
      expect(targets).toEqual(first[row]?.map((token) => token + 1));
    }
    const batches: number[][] = [];
    for await (const { inputs } of data.batch(10).epoch({ recycleAfter: 1 })) batches.push(numbers(inputs));
    expect(batches.flat()).toEqual(first.flat());
  });

  test('every place can be drawn, the last one too', async () => {
    const data = randomTokenBlocks([7, 8, 9], { blockLength: 2, count: 5 });
    expect((await targetsOf(data)).every((targets) => String(targets) === '8,9')).toBe(true);
    expect(() => tokenBlocks([1, 2], { blockLength: 2 })).toThrow(/2 tokens have no room/);
  });
});

describe('bucketByLength', () => {
  const sentences = [[1], [1, 2], [1, 2, 3, 4, 5], [3], [4, 4], [6, 6, 6]];
  const examples = fromGenerator(() =>
    sentences.map((sentence) => ({
      x: tensor(sentence, { dtype: 'int32' }),
      y: { tags: tensor(sentence, { dtype: 'int32' }), kind: tensor(sentence.length, { dtype: 'int32' }) },
    })),
  );
  const targetOf = (sample: Sample | undefined, name: string): number[] =>
    numbers((sample as { targets: { readonly [name: string]: Tensor } }).targets[name]);

  test('fills up to the length of the bucket; numbers of a whole example stay', async () => {
    const batches = await bucketByLength(examples, {
      batchSize: 2,
      boundaries: [2, 4],
      paddingValues: { targets: -1 },
    }).toArray();
    expect(batches.map(({ inputs }) => (inputs as Tensor).shape)).toEqual([
      [2, 2],
      [2, 2],
      [1, 4],
      [1, 5],
    ]);
    expect(numbers(batches[0]?.inputs)).toEqual([1, 0, 1, 2]);
    expect(targetOf(batches[0], 'tags')).toEqual([1, -1, 1, 2]);
    expect(targetOf(batches[1], 'kind')).toEqual([1, 2]);
  });

  test('cuts or drops what is too long', async () => {
    const options = { batchSize: [2, 1], boundaries: [2, 3] };
    const cut = await bucketByLength(examples, { ...options, tooLong: 'cut' }).toArray();
    expect(cut.map(({ inputs }) => numbers(inputs))).toContainEqual([1, 2, 3]);
    const dropped = await bucketByLength(examples, { ...options, tooLong: 'drop' }).toArray();
    expect(dropped.map(({ inputs }) => numbers(inputs))).toEqual([
      [1, 0, 1, 2],
      [3, 0, 4, 4],
      [6, 6, 6],
    ]);
  });

  test('without boundaries every batch is as long as its longest sequence', async () => {
    const batches = await bucketByLength(examples, { batchSize: 4, padding: 'pre', dropRemainder: true }).toArray();
    expect(batches.map(({ inputs }) => (inputs as Tensor).shape)).toEqual([[4, 5]]);
    expect(numbers(batches[0]?.inputs).slice(0, 5)).toEqual([0, 0, 0, 0, 1]);
  });

  test('resumes in the middle of a pass', async () => {
    const data = bucketByLength(examples, { batchSize: 2 });
    const [, ...rest] = await data.toArray();
    expect(await data.toArray({ skip: 1 })).toEqual(rest);
  });

  test('wrong boundaries and sizes are refused', () => {
    expect(() => bucketByLength(examples, { batchSize: 2, boundaries: [4, 2] })).toThrow(/do not grow/);
    expect(() => bucketByLength(examples, { batchSize: [2, 2], boundaries: [4, 8] })).toThrow(/each of 3 buckets/);
    expect(() => bucketByLength(examples.batch(1), { batchSize: 2 })).toThrow(/batched already/);
  });
});
