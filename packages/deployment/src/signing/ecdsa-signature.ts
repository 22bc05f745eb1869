import { ModelwrightError } from '@modelwright/core';

/**
 * An ECDSA signature from two numbers of fixed length, as WebCrypto has it, to the ASN.1 sequence that every other tool reads.
 *
 * @see RFC 3279, §2.2.3.
 */
export function toDer(signature: Uint8Array): Uint8Array {
  const half = signature.length / 2;
  const numbers = [signature.subarray(0, half), signature.subarray(half)].map(toInteger);
  const length = numbers.reduce((sum, number) => sum + number.length, 0);
  return Uint8Array.from([0x30, ...lengthBytes(length), ...numbers.flat()]);
}

/**
 * The reverse of {@link toDer}.
 *
 * @param size - Bytes of each number: 32 for P-256.
 * @throws {@link ModelwrightError} `integrity-violation` if it is no such sequence.
 */
export function fromDer(der: Uint8Array, size: number): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(2 * size);
  const sequence = readElement(der, 0, 0x30);
  if (sequence.end !== der.length) throw malformed();
  let at = sequence.start;
  for (const place of [0, 1]) {
    const { start, end } = readElement(der, at, 0x02);
    const digits = der.subarray(start, end);
    const significant = digits[0] === 0 ? digits.subarray(1) : digits;
    if (significant.length > size) throw malformed();
    result.set(significant, (place + 1) * size - significant.length);
    at = end;
  }
  if (at !== der.length) throw malformed();
  return result;
}

function toInteger(number: Uint8Array): number[] {
  const first = number.findIndex((byte) => byte !== 0);
  const digits = first < 0 ? [0] : [...number.subarray(first)];
  // A leading bit would mean a negative number.
  if ((digits[0] as number) >= 0x80) digits.unshift(0);
  return [0x02, ...lengthBytes(digits.length), ...digits];
}

function lengthBytes(length: number): number[] {
  return length < 0x80 ? [length] : [0x81, length];
}

function readElement(der: Uint8Array, at: number, tag: number): { readonly start: number; readonly end: number } {
  const isLong = der[at + 1] === 0x81;
  const length = der[at + (isLong ? 2 : 1)];
  const start = at + (isLong ? 3 : 2);
  if (der[at] !== tag || length === undefined || (!isLong && length >= 0x80) || start + length > der.length)
    throw malformed();
  return { start, end: start + length };
}

function malformed(): ModelwrightError {
  return new ModelwrightError('integrity-violation', 'the signature is no ECDSA signature in DER form');
}
