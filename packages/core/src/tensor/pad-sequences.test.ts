import { describe, expect, test } from 'vitest';
import { padSequences } from './pad-sequences.js';
import { tensor } from './tensor.js';

const sequences = [[1, 2, 3], [4], []];

describe('padSequences', () => {
  test('fills up and cuts at the front, as Keras does', () => {
    expect([...padSequences(sequences).data]).toEqual([1, 2, 3, 0, 0, 4, 0, 0, 0]);
    expect([...padSequences(sequences, { length: 2 }).data]).toEqual([2, 3, 0, 4, 0, 0]);
  });

  test('fills up and cuts at the back when told to', () => {
    const padded = padSequences(sequences, { length: 2, padding: 'post', truncating: 'post', value: 9 });
    expect([...padded.data]).toEqual([1, 2, 4, 9, 9, 9]);
    expect(padded.dtype).toBe('int32');
    expect(padded.shape).toEqual([3, 2]);
  });

  test('keeps features and the dtype of tensors', () => {
    const padded = padSequences(
      [
        tensor([[1, 2]]),
        tensor([
          [3, 4],
          [5, 6],
        ]),
      ],
      { padding: 'post' },
    );
    expect(padded.shape).toEqual([2, 2, 2]);
    expect(padded.dtype).toBe('float32');
    expect([...padded.data]).toEqual([1, 2, 0, 0, 3, 4, 5, 6]);
  });

  test('names the sequence whose features differ', () => {
    expect(() => padSequences([tensor([[1, 2]]), tensor([[1]])])).toThrow(/sequence 1 has shape \[1,1\]/);
    expect(() => padSequences(sequences, { length: 1.5 })).toThrow(/length is 1.5/);
  });

  test('no sequences give an empty tensor', () => {
    expect(padSequences([]).shape).toEqual([0, 0]);
  });
});
