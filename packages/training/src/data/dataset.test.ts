import { isModelwrightError, Tensor, toNumbers } from '@modelwright/core';
import { describe, expect, test } from 'vitest';
import {
  balancedClassWeights,
  type Dataset,
  fromArrays,
  fromAsyncIterable,
  fromGenerator,
  type Sample,
  weightByClass,
} from './index.js';

const hundred = Array.from({ length: 100 }, (_, index) => index);
const tensorAt = (field: unknown): Tensor => field as Tensor;
const numbersOf = (sample: Sample): number[] => [...toNumbers(sample.inputs as Tensor)];
const flat = async (data: Dataset, epoch = 0, skip = 0): Promise<number[]> =>
  (await data.toArray({ epoch, skip })).flatMap(numbersOf);

async function* counted(): AsyncGenerator<{ x: number[]; y: number }> {
  for (const index of hundred) yield { x: [index], y: index % 3 };
}

const overArrays = fromArrays({ x: hundred.map((index) => [index]), y: hundred.map((index) => index % 3) });
const overStream = fromGenerator(counted, { cardinality: 100 });

describe.each([
  ['arrays', overArrays],
  ['a stream', overStream],
])('a data set over %s', (_, data) => {
  test('gives examples, then batches with a short last one', async () => {
    const [first] = await data.toArray();
    expect(first?.inputs).toEqual(new Tensor('float32', [1], Float32Array.of(0)));
    expect(tensorAt(first?.targets).shape).toEqual([]);
    const batches = await data.batch(32).toArray();
    expect(batches.map((batch) => (batch.inputs as Tensor).shape)).toEqual([
      [32, 1],
      [32, 1],
      [32, 1],
      [4, 1],
    ]);
    expect(tensorAt(batches[3]?.targets).shape).toEqual([4]);
    expect(await flat(data.batch(32))).toEqual(hundred);
    expect(data.batch(32).cardinality).toBe(4);
    expect(data.batch(32, { dropRemainder: true }).cardinality).toBe(3);
    expect((await data.batch(32, { dropRemainder: true }).toArray()).length).toBe(3);
  });

  test('shuffles every example, by seed and epoch alone', async () => {
    const shuffled = data.shuffle({ seed: 7, bufferSize: 30 });
    const first = await flat(shuffled);
    expect([...first].sort((a, b) => a - b)).toEqual(hundred);
    expect(first).not.toEqual(hundred);
    expect(await flat(shuffled)).toEqual(first);
    expect(await flat(shuffled, 1)).not.toEqual(first);
    expect(await flat(data.shuffle({ seed: 8, bufferSize: 30 }))).not.toEqual(first);
    const fixed = data.shuffle({ seed: 7, reshuffleEachEpoch: false });
    expect(await flat(fixed, 1)).toEqual(await flat(fixed, 0));
  });

  test.each([1, 3])('resumes anywhere as if it had not stopped (skip %i)', async (skip) => {
    const pipelines = [
      data.shuffle({ seed: 3 }).batch(8),
      data.batch(8).shuffle({ seed: 3, bufferSize: 4 }),
      data.repeat(2).batch(7),
      data
        .shuffle()
        .take(50)
        .skip(5)
        .map((sample) => sample)
        .batch(4)
        .prefetch(2),
      data.batch(40).repeat(3),
      data.concatenate(data).batch(30),
      data.filter((sample) => (numbersOf(sample)[0] ?? 0) % 2 === 0).batch(4),
      data.batch(16).unbatch(),
    ];
    for (const pipeline of pipelines) {
      const whole = (await pipeline.toArray({ epoch: 2 })).map(numbersOf);
      expect((await pipeline.toArray({ epoch: 2, skip })).map(numbersOf)).toEqual(whole.slice(skip));
    }
  });

  test('repeats with a new order each time', async () => {
    const twice = await flat(data.shuffle({ seed: 1 }).repeat(2));
    expect(twice.length).toBe(200);
    expect(twice.slice(0, 100)).not.toEqual(twice.slice(100));
    const endless = data.repeat();
    expect(endless.cardinality).toBe(Number.POSITIVE_INFINITY);
    expect((await flat(endless.take(250))).length).toBe(250);
  });

  test('splits off the last part', async () => {
    const [training, validation] = data.split(0.2);
    expect(await flat(training)).toEqual(hundred.slice(0, 80));
    expect(await flat(validation)).toEqual(hundred.slice(80));
    expect(() => data.split(0.999)).toThrow('one part would be empty');
    expect(() => data.split(1)).toThrow('between 0 and 1');
  });

  test('maps, filters, concatenates and prefetches in order', async () => {
    const doubled = data.map(async (sample) => ({
      inputs: new Tensor('float32', [1], Float32Array.of(2 * (numbersOf(sample)[0] ?? 0))),
    }));
    expect(await flat(doubled.prefetch(4))).toEqual(hundred.map((value) => 2 * value));
    expect(await flat(data.take(3).concatenate(data.skip(98)))).toEqual([0, 1, 2, 98, 99]);
  });

  test('refuses what cannot be', () => {
    expect(() => data.batch(0)).toThrow('batch size is 0; an integer ≥ 1 is expected');
    expect(() => data.batch(2).batch(2)).toThrow('batched already');
    expect(() => data.batch(2).concatenate(data)).toThrow('cannot be concatenated');
  });
});

test('a failure while prefetching reaches the consumer in its turn', async () => {
  const failing = fromGenerator(function* () {
    yield { x: [1] };
    throw new RangeError('source broke');
  });
  await expect(flat(failing.prefetch(3))).rejects.toThrow('source broke');
});

test('prefetch closes its source when the consumer stops early', async () => {
  let closed = false;
  const source = fromGenerator(async function* () {
    try {
      for (;;) yield { x: [1] };
    } finally {
      closed = true;
    }
  });
  for await (const _ of source.prefetch(2)) break;
  expect(closed).toBe(true);
});

test('named inputs, outputs and sample weights keep their names', async () => {
  const data = fromArrays({
    x: { image: [[1], [2]], size: Float32Array.of(10, 20) },
    y: { kind: Int32Array.of(0, 1), mask: { data: new Uint8Array(8), shape: [2, 2, 2] } },
    sampleWeight: [1, 2],
  });
  const [batch] = await data.batch(2).toArray();
  expect(batch).toMatchObject({
    inputs: { image: { shape: [2, 1] }, size: { shape: [2] } },
    targets: { kind: { dtype: 'int32' }, mask: { shape: [2, 2, 2], dtype: 'uint8' } },
    sampleWeights: { shape: [2] },
  });
});

test('an empty data set is refused, at once or when it is read', async () => {
  expect(() => fromArrays({ x: [] })).toThrow('the data set is empty');
  const read = async (): Promise<void> => {
    for await (const _ of fromAsyncIterable([]).batch(2).epoch()) expect.unreachable();
  };
  const failure = await read().catch((error: unknown) => error);
  expect(isModelwrightError(failure, 'invalid-data')).toBe(true);
});

test('wrong data says what is wrong', async () => {
  expect(() => fromArrays({ x: [[1], [2]], y: [1] })).toThrow('inputs has 2 examples, but targets has 1');
  expect(() => fromArrays({ x: [[1, 2], [3]] })).toThrow('x is ragged: its first elements make the shape [2,2]');
  expect(() => fromArrays({ x: [['a']] as never })).toThrow("x holds the text 'a' where a number is expected");
  const odd = fromGenerator(() => [{ x: [1] }, { x: [1, 2] }]).batch(2);
  await expect(odd.toArray()).rejects.toThrow(
    'inputs is float32 [1] in its first example and float32 [2] in example 1',
  );
  await expect(fromGenerator(() => [5 as never]).toArray()).rejects.toThrow('a sample is [x, y, sampleWeight]');
});

test('class weights balance what classes count in total', async () => {
  const labels = [0, 0, 0, 1];
  const weights = balancedClassWeights(labels);
  expect(3 * (weights[0] ?? 0)).toBeCloseTo(weights[1] ?? 0);
  const weighted = fromArrays({ x: [[1], [2], [3], [4]], y: labels })
    .batch(4)
    .map((batch) => weightByClass(batch, { 1: 5 }));
  expect([...toNumbers((await weighted.toArray())[0]?.sampleWeights as Tensor)]).toEqual([1, 1, 1, 5]);
  const oneHot = fromArrays({
    x: [[1], [2]],
    y: [
      [0, 1],
      [1, 0],
    ],
  })
    .batch(2)
    .map((batch) => weightByClass(batch, { 1: 5 }));
  expect([...toNumbers((await oneHot.toArray())[0]?.sampleWeights as Tensor)]).toEqual([5, 1]);
  expect(() => balancedClassWeights([0.5])).toThrow('0.5 is no class index');
});

test('data larger than memory streams', async () => {
  const examples = 4000;
  const rowElements = 20_000;
  const megabytes = (examples * rowElements * 4) / 1e6;
  const data = fromGenerator(function* () {
    for (let index = 0; index < examples; index++) yield { x: new Float32Array(rowElements).fill(index) };
  });
  let largest = 0;
  let seen = 0;
  for await (const { inputs } of data.shuffle({ bufferSize: 100 }).batch(50).prefetch(2)) {
    seen += (inputs as Tensor).shape[0] ?? 0;
    // Dead batches must not be counted: the bound is on what is reachable.
    if (seen % 1000 === 0) globalThis.gc?.();
    largest = Math.max(largest, process.memoryUsage().arrayBuffers / 1e6);
  }
  expect(seen).toBe(examples);
  expect(megabytes).toBeGreaterThan(300);
  expect(largest).toBeLessThan(megabytes * 0.6);
});

test('recycled batches hold the same numbers, in memory used again', async () => {
  const data = fromArrays({
    x: Array.from({ length: 23 }, (_, index) => [index, -index]),
    y: Float32Array.from({ length: 23 }, (_, i) => i),
  })
    .shuffle({ seed: 4 })
    .batch(5);
  const fresh = await data.toArray({ epoch: 2 });
  const buffers = new Set<unknown>();
  let index = 0;
  for await (const batch of data.epoch({ epoch: 2, recycleAfter: 2 })) {
    expect(batch).toEqual(fresh[index++]);
    buffers.add((batch.inputs as Tensor).data);
  }
  expect(index).toBe(5);
  // Two that take turns, and the short last one.
  expect(buffers.size).toBe(3);
});
