import {
  allocateData,
  type DType,
  dtypeFacts,
  ModelwrightError,
  type NumericDType,
  Tensor,
  viewData,
} from '@modelwright/core';
import { datatypeOf } from './datatype.js';
import { byteLengthOf } from './shape-limits.js';

/**
 * Reads a tensor of raw little-endian elements, row-major without padding; strings have their length before them as four bytes.
 * Elements stay where they are in memory if they lie aligned there.
 *
 * @param bytes - Exactly the tensor's.
 * @throws {@link ModelwrightError} `invalid-argument` if the bytes are not those of such a tensor.
 */
export function fromBinary(
  input: string,
  dtype: DType,
  shape: readonly number[],
  elementCount: number,
  bytes: Uint8Array,
): Tensor {
  if (dtype === 'string') return new Tensor('string', shape, readStrings(input, elementCount, bytes));
  const expected = byteLengthOf(dtype, elementCount) as number;
  if (bytes.byteLength !== expected) {
    const what = `[${shape.join(', ')}] of ${datatypeOf(dtype)} takes ${expected} bytes`;
    throw new ModelwrightError('invalid-argument', `input '${input}': ${what}, but ${bytes.byteLength} were given`, {
      input,
      given: bytes.byteLength,
      allowed: expected,
    });
  }
  const aligned = bytes.byteOffset % dtypeFacts[dtype].bytes === 0 ? bytes : bytes.slice();
  const data = viewData(dtype as NumericDType, aligned.buffer, aligned.byteOffset, elementCount);
  if (dtype === 'bool') checkRange(input, data as Uint8Array, 0, 1);
  else if (dtype === 'int4') checkRange(input, data as Int8Array, -8, 7);
  else if (dtype === 'uint4') checkRange(input, data as Uint8Array, 0, 15);
  return new Tensor(dtype, shape, data as never);
}

/** Runtimes take a byte's word for it: a bool of 2 is neither true nor false to them. */
function checkRange(input: string, data: Uint8Array | Int8Array, lowest: number, highest: number): void {
  for (let index = 0; index < data.length; index++) {
    const value = data[index] as number;
    if (value >= lowest && value <= highest) continue;
    throw new ModelwrightError(
      'value-out-of-range',
      `input '${input}': element ${index} is ${value}, not within ${lowest}…${highest}`,
      { input },
    );
  }
}

function readStrings(input: string, elementCount: number, bytes: Uint8Array): string[] {
  // Every element takes four bytes at least: a huge count is refused before its array is made.
  if (elementCount * 4 > bytes.byteLength) throw badStrings(input, elementCount, 'has too few bytes');
  const strings = allocateData('string', elementCount);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let offset = 0;
  for (let index = 0; index < elementCount; index++) {
    const start = offset + 4;
    if (start > bytes.byteLength) throw badStrings(input, elementCount, `ends before element ${index}`);
    const end = start + view.getUint32(offset, true);
    if (end > bytes.byteLength) throw badStrings(input, elementCount, `ends within element ${index}`);
    try {
      strings[index] = decoder.decode(bytes.subarray(start, end));
    } catch {
      throw badStrings(input, elementCount, `has no valid UTF-8 in element ${index}`);
    }
    offset = end;
  }
  if (offset !== bytes.byteLength)
    throw badStrings(input, elementCount, `has ${bytes.byteLength - offset} bytes too many`);
  return strings;
}

function badStrings(input: string, elementCount: number, what: string): ModelwrightError {
  return new ModelwrightError('invalid-argument', `input '${input}': BYTES of ${elementCount} elements ${what}`, {
    input,
  });
}

/** The tensor's elements as they are in memory, little-endian on every machine that JavaScript runs on; no copy but for strings. */
export function toBinary(tensor: Tensor): Uint8Array<ArrayBuffer> {
  if (tensor.dtype === 'string') return writeStrings(tensor.data as string[]);
  const { buffer, byteOffset, byteLength } = tensor.data as Uint8Array;
  // A response body cannot be shared memory.
  if (!(buffer instanceof ArrayBuffer)) return new Uint8Array(buffer, byteOffset, byteLength).slice();
  return new Uint8Array(buffer, byteOffset, byteLength);
}

function writeStrings(strings: readonly string[]): Uint8Array<ArrayBuffer> {
  const encoder = new TextEncoder();
  const encoded = strings.map((text) => encoder.encode(text));
  const bytes = new Uint8Array(encoded.reduce((sum, { byteLength }) => sum + 4 + byteLength, 0));
  const view = new DataView(bytes.buffer);
  let offset = 0;
  for (const part of encoded) {
    view.setUint32(offset, part.byteLength, true);
    bytes.set(part, offset + 4);
    offset += 4 + part.byteLength;
  }
  return bytes;
}
