import { describe, expect, test } from 'vitest';
import { fromBfloat16Bits, fromFloat16Bits, toBfloat16Bits, toFloat16Bits } from './half-precision.js';

const formats = [
  { name: 'float16', decode: fromFloat16Bits, encode: toFloat16Bits, infinity: 0x7c00 },
  { name: 'bfloat16', decode: fromBfloat16Bits, encode: toBfloat16Bits, infinity: 0x7f80 },
];

describe.each(formats)('$name', ({ decode, encode, infinity }) => {
  test('every number survives the way there and back', () => {
    for (let bits = 0; bits < 0x10000; bits++) {
      const value = decode(bits);
      if (Number.isNaN(value)) expect(Number.isNaN(decode(encode(value)))).toBe(true);
      else if (encode(value) !== bits) expect(encode(value)).toBe(bits);
    }
  });

  test('numbers between two neighbours go to the nearer one, from the middle to the even one', () => {
    for (let bits = 0; bits < infinity - 1; bits += 7) {
      const [low, high] = [decode(bits), decode(bits + 1)];
      const middle = (low + high) / 2;
      const even = bits % 2 === 0 ? bits : bits + 1;
      const found = [low + (high - low) * 0.25, middle, low + (high - low) * 0.75].map(encode);
      if (found[0] !== bits || found[1] !== even || found[2] !== bits + 1) {
        expect(found, `between ${low} and ${high}`).toEqual([bits, even, bits + 1]);
      }
    }
  });

  test('what is too large becomes infinity, with its sign', () => {
    const largest = decode(infinity - 1);
    const step = largest - decode(infinity - 2);
    expect(encode(largest + step * 0.49)).toBe(infinity - 1);
    expect(encode(largest + step * 0.5)).toBe(infinity);
    expect(encode(-(largest + step))).toBe(infinity | 0x8000);
    expect(encode(Number.POSITIVE_INFINITY)).toBe(infinity);
    expect(Object.is(decode(encode(-0)), -0)).toBe(true);
    expect(encode(decode(1) / 4)).toBe(0);
  });
});
