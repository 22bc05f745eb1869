import { expect, test } from 'vitest';
import { trainBytePairTokenizer } from '../byte-pair/byte-pair-tokenizer.js';
import type { Tokenizer } from '../tokenizers/tokenizer.js';
import { TextStream } from './text-stream.js';

/** What a stream tells token by token. */
function pieces(
  tokenizer: Tokenizer,
  text: string,
  stops: readonly string[] = [],
): { told: string[]; isStopped: boolean } {
  const stream = new TextStream(tokenizer, stops);
  const told: string[] = [];
  for (const id of tokenizer.encode(text)) {
    if (stream.push(id)) return { told: [...told, stream.end(true)], isStopped: true };
    told.push(stream.take());
  }
  return { told: [...told, stream.end(false)], isStopped: false };
}

const text = 'Für Ωmega 🚀 und 日本, na also.';
const bytes = trainBytePairTokenizer('abc', { vocabularySize: 256 });

test('a character of several tokens comes when it is whole', () => {
  const { told } = pieces(bytes, text);
  expect(told.join('')).toBe(text);
  expect(told.length).toBeGreaterThan([...text].length);
  expect(told.join('')).not.toContain('\ufffd');
  for (const piece of told) expect([...piece].length).toBeLessThanOrEqual(1);
});

test('what may begin a stop is held back, and told if it does not', () => {
  expect(pieces(bytes, 'na also, na ja', ['na nu', 'ja!'])).toEqual({
    told: expect.arrayContaining(['na a']),
    isStopped: false,
  });
  expect(pieces(bytes, 'na also, na ja', ['na nu', 'ja!']).told.join('')).toBe('na also, na ja');
});

test.each([
  ['END', 'before END after', 'before '],
  ['日本', text, 'Für Ωmega 🚀 und '],
  ['🚀', text, 'Für Ωmega '],
])('stops at %s', (stop, given, expected) => {
  const { told, isStopped } = pieces(bytes, given, ['never', stop]);
  expect(isStopped).toBe(true);
  expect(told.join('')).toBe(expected);
});

test('a text that ends in the middle of a character tells what there is', () => {
  const stream = new TextStream(bytes, []);
  for (const id of bytes.encode('a🚀').slice(0, 3)) stream.push(id);
  expect(stream.take() + stream.end(false)).toMatch(/^a\ufffd+$/);
});
