import { describe, expect, test } from 'vitest';
import { characterTokenizer, fitCharacterTokenizer } from './character-tokenizer.js';
import { encodeBatch } from './encode-batch.js';
import { loadTokenizer } from './load-tokenizer.js';
import type { Tokenizer } from './tokenizer.js';
import { fitWordTokenizer, wordSplitter, wordTokenizer } from './word-tokenizer.js';

const again = (tokenizer: Tokenizer): Promise<Tokenizer> => loadTokenizer(JSON.parse(JSON.stringify(tokenizer)));

describe('characters', () => {
  test('are those of the corpus, by code point', () => {
    const tokenizer = fitCharacterTokenizer(['cab', '🙂 é']);
    expect([...Array(tokenizer.vocabularySize).keys()].map(tokenizer.tokenOf).join('')).toBe(' abcé🙂');
    expect(tokenizer.decode(tokenizer.encode('🙂 bacé'))).toBe('🙂 bacé');
    expect(tokenizer.unknownId).toBeUndefined();
  });

  test('that the vocabulary lacks are left out, or become the unknown token', () => {
    expect(fitCharacterTokenizer('ab').encode('axb')).toEqual([0, 1]);
    const tokenizer = fitCharacterTokenizer('ab', { padToken: '_', unknownToken: '?', specialTokens: ['^'] });
    expect(tokenizer.encode('axb')).toEqual([3, 1, 4]);
    expect(tokenizer.decode([2, 3, 1, 4, 0])).toBe('a?b');
    expect([tokenizer.padId, tokenizer.unknownId, tokenizer.idOf('^')]).toEqual([0, 1, 2]);
  });

  test('the most frequent stay when room is short', () => {
    const tokenizer = fitCharacterTokenizer('aaabbc', { maxSize: 3, unknownToken: '?' });
    expect(tokenizer.encode('abc')).toEqual([1, 2, 0]);
    expect(fitCharacterTokenizer('aaabbc', { minFrequency: 2 }).vocabularySize).toBe(2);
  });

  test('survive JSON', async () => {
    const tokenizer = fitCharacterTokenizer('hello', { padToken: '_' });
    const loaded = await again(tokenizer);
    expect(loaded.toJSON()).toEqual(tokenizer.toJSON());
    expect(loaded.decode(loaded.encode('hole'))).toBe('hole');
  });

  test('wrong vocabularies and ids are refused', () => {
    expect(() => characterTokenizer({ vocabulary: ['a', 'a'] })).toThrow(/lists "a" twice/);
    expect(() => characterTokenizer({ vocabulary: ['a'] }).decode([1])).toThrow(/no token 1/);
  });
});

describe('words', () => {
  test.each([
    ['words', "Don't panic: ÉCOLE 42!", ["don't", 'panic', 'école', '42']],
    ['wordsAndMarks', 'Free $$$, “now”!', ['free', '$', '$', '$', ',', '“', 'now', '”', '!']],
    ['whitespace', ' a-b  c.\n', ['a-b', 'c.']],
    [/[a-z]/i, 'a1b', ['a', 'b']],
  ] as const)('split by %s', (split, text, words) => {
    expect(wordSplitter({ split })(text)).toEqual(words);
  });

  test('letters keep their case and lose their accents when told to', () => {
    expect(wordSplitter({ lowercase: false, stripAccents: true })('École Ångström')).toEqual(['Ecole', 'Angstrom']);
    expect(wordSplitter()('e\u0301')).toEqual(['\u00e9']);
    expect(() => wordSplitter({ split: 'letters' as never })).toThrow(/whitespace.*'letters' was given/);
  });

  test('are learnt by frequency, then by their letters', () => {
    const tokenizer = fitWordTokenizer(['b a b c', 'c b z'], { minFrequency: 2 });
    expect([0, 1, 2, 3, 4].map(tokenizer.tokenOf)).toEqual(['[PAD]', '[UNK]', 'b', 'c', undefined]);
    expect(tokenizer.encode('B z c')).toEqual([2, 1, 3]);
    expect(tokenizer.decode([2, 1, 3, 0])).toBe('b [UNK] c');
    const ties = fitWordTokenizer('d c b a', { maxSize: 4 });
    expect([2, 3].map(ties.tokenOf)).toEqual(['a', 'b']);
  });

  test('a word that Object has, too, is a word like any other', () => {
    expect(fitWordTokenizer('constructor').encode('toString constructor')).toEqual([1, 2]);
  });

  test('survive JSON, patterns and all', async () => {
    for (const split of [undefined, 'wordsAndMarks', /\p{L}/u] as const) {
      const tokenizer = fitWordTokenizer('One two, THREE', {
        lowercase: false,
        specialTokens: ['[CLS]'],
        ...(split === undefined ? {} : { split }),
      });
      const loaded = await again(tokenizer);
      expect(loaded.encode('One two, three')).toEqual(tokenizer.encode('One two, three'));
      expect(JSON.stringify(loaded)).toBe(JSON.stringify(tokenizer));
    }
  });
});

describe('encodeBatch', () => {
  const tokenizer = wordTokenizer({
    vocabulary: ['a', 'b', 'c'],
    padToken: '[PAD]',
    specialTokens: ['[CLS]', '[SEP]'],
  });
  const [a, b, c] = ['a', 'b', 'c'].map((token) => tokenizer.idOf(token) as number);

  test('pads to the longest text, with its mask and lengths', () => {
    const { ids, mask, lengths } = encodeBatch(tokenizer, ['a b c', 'b', '']);
    expect(ids.shape).toEqual([3, 3]);
    expect([...ids.data]).toEqual([a, b, c, b, 0, 0, 0, 0, 0]);
    expect([...mask.data]).toEqual([1, 1, 1, 1, 0, 0, 0, 0, 0]);
    expect([...lengths.data]).toEqual([3, 1, 0]);
  });

  test('cuts between the start and the end token', () => {
    const ends = { startToken: '[CLS]', endToken: '[SEP]' };
    const { ids, lengths } = encodeBatch(tokenizer, ['a b c', 'b'], { ...ends, maxLength: 4 });
    expect([...ids.data]).toEqual([1, a, b, 2, 1, b, 2, 0]);
    expect([...lengths.data]).toEqual([4, 3]);
    const last = encodeBatch(tokenizer, ['a b c'], { ...ends, length: 3, truncating: 'pre' });
    expect([...last.ids.data]).toEqual([1, c, 2]);
    expect(() => encodeBatch(tokenizer, ['a'], { ...ends, length: 1 })).toThrow(/too short/);
    expect(() => encodeBatch(tokenizer, ['a'], { startToken: 'x' })).toThrow(/no token "x"/);
  });

  test('has a fixed length and pads in front when told to', () => {
    const { ids, mask } = encodeBatch(tokenizer, ['a b', 'c'], { length: 4, padding: 'pre', padId: 9 });
    expect([...ids.data]).toEqual([9, 9, a, b, 9, 9, 9, c]);
    expect([...mask.data]).toEqual([0, 0, 1, 1, 0, 0, 0, 1]);
  });
});
