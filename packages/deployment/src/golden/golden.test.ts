import {
  createReferenceBackend,
  dtypes,
  fromNumbers,
  Tensor,
  type TensorMap,
  tensor,
  toNumbers,
} from '@modelwright/core';
import { dense, embedding, globalAveragePooling1d, sequential } from '@modelwright/models';
import { describe, expect, it } from 'vitest';
import { decodeTensor, encodeTensor } from './encode-tensor.js';
import { makeGolden } from './make-golden.js';
import { compareTensors, parseGolden, replayGolden } from './replay-golden.js';

const backend = createReferenceBackend();

describe('tensors as JSON', () => {
  it.each(dtypes.filter((dtype) => dtype !== 'string'))('keep every bit of %s', (dtype) => {
    const given = fromNumbers(dtype, [2, 3], [0, 1, 1, 0, 1, 1]);
    const { dtype: back, shape, data } = decodeTensor(JSON.parse(JSON.stringify(encodeTensor(given))));
    expect([back, shape, [...(data as Float32Array)]]).toEqual([dtype, [2, 3], [...(given.data as Float32Array)]]);
  });

  it('keep texts, empty tensors, NaN and views into larger memory', () => {
    const texts = new Tensor('string', [3], ['', 'ä\0b', '日本']);
    expect(decodeTensor(encodeTensor(texts)).data).toEqual(texts.data);
    expect(decodeTensor(encodeTensor(fromNumbers('float32', [0, 4], []))).shape).toEqual([0, 4]);
    const view = new Tensor('float32', [2], new Float32Array([1, Number.NaN, Number.POSITIVE_INFINITY]).subarray(1));
    expect([...toNumbers(decodeTensor(encodeTensor(view)))]).toEqual([Number.NaN, Number.POSITIVE_INFINITY]);
  });

  it('are refused when they do not fit together', () => {
    const good = encodeTensor(tensor([1, 2]));
    for (const bad of [{ shape: [3] }, { base64: '!' }, { dtype: 'toString' }, { base64: 'AAAA' }, { dtype: 'string' }])
      expect(() => decodeTensor({ ...good, ...bad } as never)).toThrow(/the tensor/);
  });
});

describe('answers and what is expected', () => {
  const tolerance = { absolute: 0.1, relative: 0.01 };
  const difference = (given: readonly number[], expected: readonly number[]): number =>
    compareTensors(tensor(given), tensor(expected), tolerance, 'y').worst;

  it('differ in units of what is allowed', () => {
    expect(difference([1, 10], [1, 10])).toBe(0);
    expect(difference([10.1], [10])).toBeCloseTo(0.5, 3);
    expect(difference([10.4], [10])).toBeGreaterThan(1);
  });

  it('take NaN for NaN and infinity for infinity, and for nothing else', () => {
    expect(difference([Number.NaN, Number.POSITIVE_INFINITY], [Number.NaN, Number.POSITIVE_INFINITY])).toBe(0);
    expect(difference([Number.NaN], [1])).toBe(Number.POSITIVE_INFINITY);
    expect(difference([1], [Number.NaN])).toBe(Number.POSITIVE_INFINITY);
    expect(difference([1e30], [Number.POSITIVE_INFINITY])).toBe(Number.POSITIVE_INFINITY);
  });

  it('name shape, dtype and the element', () => {
    const of = (given: Tensor | undefined, expected: Tensor) =>
      compareTensors(given, expected, tolerance, 'output').reason;
    expect(of(undefined, tensor([1]))).toBe('output: is missing');
    expect(of(tensor([[1]]), tensor([1]))).toBe('output: has shape [1,1], not [1]');
    expect(of(fromNumbers('int32', [1], [1]), tensor([1]))).toBe('output: is int32, not float32');
    expect(of(fromNumbers('int64', [2, 2], [1, 2, 3, 4]), fromNumbers('int64', [2, 2], [1, 2, 3, 5]))).toBe(
      'output: 4 instead of 5 at [1,1]',
    );
  });
});

describe('golden sets', () => {
  const words = sequential({
    inputShape: [6],
    layers: [embedding({ inputDim: 40, outputDim: 4 }), globalAveragePooling1d(), dense({ units: 2 })],
  });

  it('take ids that the embedding has, the same ones each time, one case with a batch', async () => {
    const golden = await makeGolden(words, backend);
    expect(await makeGolden(words, backend)).toEqual(golden);
    const inputs = golden.cases.map(({ inputs: each }) => decodeTensor(Object.values(each)[0]!));
    expect(inputs.map(({ shape }) => shape)).toEqual([
      [1, 6],
      [1, 6],
      [3, 6],
    ]);
    const ids = inputs.flatMap((each) => [...toNumbers(each)]);
    expect(Math.max(...ids)).toBeLessThan(40);
    expect(new Set(ids).size).toBeGreaterThan(10);
  });

  it('pass on what made them and fail on what computes something else', async () => {
    const golden = await makeGolden(words, backend, {
      inputs: [{ input: fromNumbers('int32', [1, 6], [1, 2, 3, 4, 5, 6]) }].map((each) => renamed(each)),
    });
    expect(golden.cases).toHaveLength(1);
    const wrong = async (inputs: TensorMap): Promise<TensorMap> => {
      expect(Object.keys(inputs)).toEqual(words.graph.inputs.map(({ name }) => name));
      return { [words.graph.outputs[0]!.name]: tensor([[9, 9]]) };
    };
    expect((await replayGolden(golden, wrong)).results[0]).toMatchObject({
      passed: false,
      reason: expect.stringContaining('9 instead of'),
    });
    const broken = await replayGolden(golden, async () => Promise.reject(new Error('out of memory')));
    expect(broken.results[0]).toMatchObject({ passed: false, reason: 'out of memory' });
  });

  const renamed = (inputs: TensorMap): TensorMap => ({ [words.graph.inputs[0]!.name]: Object.values(inputs)[0]! });

  it.each([
    '',
    '{}',
    '{"formatVersion":1,"cases":[],"tolerance":{"absolute":0,"relative":0}}',
    '{"formatVersion":1,"cases":[{}]}',
  ])('are refused when they prove nothing: %s', (text) => {
    expect(() => parseGolden(new TextEncoder().encode(text), 'a bundle')).toThrow(/cannot be read/);
  });
});
