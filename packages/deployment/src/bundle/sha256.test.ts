import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { digestOf, sha256 } from './sha256.js';

it.each([0, 1, 55, 56, 63, 64, 65, 119, 120, 1000])(
  'agrees with the system on %i bytes, with and without WebCrypto',
  async (size) => {
    const bytes = Uint8Array.from({ length: size }, (_, index) => (index * 31 + 7) % 256);
    const expected = createHash('sha256').update(bytes).digest('hex');
    expect(await sha256(bytes)).toBe(expected);
    expect(Buffer.from(digestOf(bytes)).toString('hex')).toBe(expected);
  },
);
