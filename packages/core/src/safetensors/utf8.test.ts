import { expect, test } from 'vitest';
import { decodeUtf8, encodeUtf8 } from './utf8.js';

test('every code point comes and goes as the platform writes it', () => {
  const encoder = new TextEncoder();
  let text = '';
  for (let code = 0; code <= 0x10ffff; code += code < 0x3000 ? 1 : 251)
    if (code < 0xd800 || code >= 0xe000) text += String.fromCodePoint(code);
  const bytes = encodeUtf8(text);
  expect(bytes).toEqual(new Uint8Array(encoder.encode(text)));
  expect(decodeUtf8(bytes)).toBe(text);
});

test('what is no text is refused as the platform refuses it', () => {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const byPlatform = (bytes: Uint8Array): string | undefined => {
    try {
      return decoder.decode(bytes);
    } catch {
      return undefined;
    }
  };
  const borders = [
    0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xed, 0xef, 0xf0, 0xf4, 0xf5, 0xff,
  ];
  const disputed: number[][] = [];
  for (const first of borders)
    for (const second of borders)
      for (const third of borders)
        for (const list of [[first], [first, second], [first, second, third], [first, second, third, 0x80]]) {
          const bytes = Uint8Array.from(list);
          if (decodeUtf8(bytes) !== byPlatform(bytes)) disputed.push(list);
        }
  expect(disputed).toEqual([]);
});

test('half a surrogate pair becomes what stands for the unknown', () => {
  expect(decodeUtf8(encodeUtf8('a\ud83d'))).toBe('a\ufffd');
});
