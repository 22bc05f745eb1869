import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { loadTokenizer } from '../tokenizers/load-tokenizer.js';
import type { TokenizerJson } from '../tokenizers/tokenizer.js';
import { trainBytePairTokenizer } from './byte-pair-tokenizer.js';
import { mergePairs, pairKey, pairOf } from './merge-pairs.js';
import { splitWords } from './split-words.js';

interface Described {
  readonly tokenizer: TokenizerJson & {
    readonly model: { readonly vocab: { readonly [token: string]: number }; readonly merges: readonly unknown[] };
  };
  readonly encodings: readonly { readonly text: string; readonly ids: readonly number[]; readonly decoded: string }[];
}

const fixture = JSON.parse(readFileSync(new URL('../../fixtures/tokenizers.json', import.meta.url), 'utf8')) as {
  readonly corpus: readonly string[];
  readonly bytePair: Described;
  readonly wordPiece: Described;
};
const licence = readFileSync(new URL('../../../../LICENSE', import.meta.url), 'utf8');
const corpus = [licence, ...fixture.corpus];
const train = () => trainBytePairTokenizer(corpus, { vocabularySize: 700, specialTokens: ['<|end|>'] });

describe('byte-pair encoding', () => {
  const tokenizer = train();
  const trained = tokenizer.toJSON() as unknown as Described['tokenizer'];

  test('learns the vocabulary and merges that Hugging Face learns', () => {
    expect(trained.model.merges).toEqual(fixture.bytePair.tokenizer.model.merges);
    expect(trained.model.vocab).toEqual(fixture.bytePair.tokenizer.model.vocab);
    expect(tokenizer.vocabularySize).toBe(700);
  });

  test.each(fixture.bytePair.encodings)('encodes $text as Hugging Face does', ({ text, ids, decoded }) => {
    expect(tokenizer.encode(text)).toEqual(ids);
    expect(tokenizer.decode(ids)).toBe(decoded);
  });

  test('decodes whatever was encoded, special tokens apart', () => {
    for (const { text } of fixture.bytePair.encodings) {
      expect(tokenizer.decode(tokenizer.encode(text))).toBe(text.replaceAll('<|end|>', ''));
    }
    const bytes = String.fromCharCode(...Array.from({ length: 0x300 }, (_, code) => code));
    expect(tokenizer.decode(tokenizer.encode(bytes))).toBe(bytes);
    expect(tokenizer.decode(tokenizer.encode('\ufeffmarked'))).toBe('\ufeffmarked');
  });

  test('is deterministic: neither another run nor another order of texts changes it', () => {
    expect(train().toJSON()).toEqual(tokenizer.toJSON());
    const reversed = trainBytePairTokenizer([...corpus].reverse(), {
      vocabularySize: 700,
      specialTokens: ['<|end|>'],
    });
    expect(reversed.toJSON()).toEqual(tokenizer.toJSON());
  });

  test('gives itself again through JSON, without any package', async () => {
    const again = await loadTokenizer(JSON.parse(JSON.stringify(tokenizer)));
    expect(again.toJSON()).toEqual(tokenizer.toJSON());
    expect(again.encode(licence)).toEqual(tokenizer.encode(licence));
  });

  test('reads the file that Hugging Face wrote', async () => {
    const loaded = await loadTokenizer(fixture.bytePair.tokenizer);
    for (const { text, ids } of fixture.bytePair.encodings) expect(loaded.encode(text)).toEqual(ids);
    expect(loaded.idOf('<|end|>')).toBe(0);
  });

  test('what it writes means the same to @huggingface/tokenizers', async () => {
    const { Tokenizer } = await import('@huggingface/tokenizers');
    const theirs = new Tokenizer(JSON.parse(JSON.stringify(tokenizer)), {});
    // A byte order mark is white space to JavaScript, and so to that package, but not to Unicode.
    for (const { text } of fixture.bytePair.encodings.filter((each) => !/[\u0085\ufeff]/.test(each.text))) {
      expect(theirs.encode(text).ids).toEqual(tokenizer.encode(text));
    }
  });

  test('encodes a word of 120,000 letters', () => {
    const long = 'banana'.repeat(20_000);
    expect(tokenizer.decode(tokenizer.encode(long))).toBe(long);
  });

  test('learns fewer tokens from a corpus that has no more pairs', () => {
    expect(trainBytePairTokenizer(['ab', 'ab'], { vocabularySize: 1000 }).vocabularySize).toBe(256 + 1);
    expect(() => trainBytePairTokenizer('ab', { vocabularySize: 100 })).toThrow(/vocabularySize is 100.*256/);
  });

  test('an id outside of the vocabulary is named', () => {
    expect(() => tokenizer.decode([700])).toThrow(/no token 700.*0 to 699/);
  });
});

test('pieces join to the text', () => {
  for (const text of corpus) expect(splitWords(text).join('')).toBe(text);
});

test('pairs and their keys', () => {
  expect(pairOf(pairKey(50_256, 7))).toEqual([50_256, 7]);
  const merges = new Map([
    [pairKey(1, 1), { rank: 0, id: 2 }],
    [pairKey(2, 1), { rank: 1, id: 3 }],
  ]);
  expect(mergePairs([1, 1, 1, 1, 1], merges)).toEqual([2, 3]);
});

describe('other kinds of tokenizer.json', () => {
  test('run by @huggingface/tokenizers', async () => {
    const { tokenizer, encodings } = fixture.wordPiece;
    const loaded = await loadTokenizer(tokenizer);
    for (const { text, ids } of encodings.filter((each) => !/[\u0085\ufeff]/.test(each.text))) {
      expect(loaded.encode(text)).toEqual(ids);
    }
    expect(loaded.padId).toBe(0);
    expect(loaded.unknownId).toBe(1);
    expect(loaded.vocabularySize).toBe(Object.keys(tokenizer.model.vocab).length);
    expect(loaded.decode(loaded.encode('this license'))).toBe('this license');
    const bare = await loadTokenizer(tokenizer, { addSpecialTokens: false });
    expect(bare.encode('this')).toEqual(loaded.encode('this').slice(1, -1));
  });

  test('what is no tokenizer is refused', async () => {
    await expect(loadTokenizer({ a: 1 })).rejects.toThrow(/not a tokenizer/);
    await expect(loadTokenizer({ model: { type: 'Nonsense' } })).rejects.toThrow(/cannot be read/);
  });
});
