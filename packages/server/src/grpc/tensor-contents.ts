import { create } from '@bufbuild/protobuf';
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { type DType, dtypeFacts, isBigInt, ModelwrightError, Tensor } from '@modelwright/core';
import { type InferTensorContents, InferTensorContentsSchema } from '../generated/open-inference.generated.js';
import { fromBinary, toBinary } from '../open-inference/binary-tensor.js';
import { datatypeOf } from '../open-inference/datatype.js';

type ListName = Exclude<keyof InferTensorContents, '$typeName' | '$unknown'>;

/** The list that holds the elements of each dtype; nothing where only raw bytes can. */
const lists: { readonly [D in DType]: ListName | undefined } = {
  float32: 'fp32Contents',
  float64: 'fp64Contents',
  float16: undefined,
  bfloat16: undefined,
  int8: 'intContents',
  int16: 'intContents',
  int32: 'intContents',
  int64: 'int64Contents',
  uint8: 'uintContents',
  uint16: 'uintContents',
  uint32: 'uintContents',
  uint64: 'uint64Contents',
  int4: 'intContents',
  uint4: 'uintContents',
  bool: 'boolContents',
  string: 'bytesContents',
};

/** Whether a tensor of that dtype can travel in the lists of its type. */
export function hasList(dtype: DType): boolean {
  return lists[dtype] !== undefined;
}

/**
 * Reads a tensor out of the list of its type. Lists of numbers arrive as they stand on the wire.
 *
 * @throws {@link ModelwrightError} `invalid-argument` if there are not exactly `elementCount`, `value-out-of-range` if one is none of its
 * dtype.
 */
export function readContents(
  input: string,
  dtype: DType,
  shape: readonly number[],
  elementCount: number,
  contents: InferTensorContents,
): Tensor {
  const list = lists[dtype];
  if (list === undefined) {
    const message = `input '${input}': ${datatypeOf(dtype)} travels in raw_input_contents alone`;
    throw new ModelwrightError('invalid-argument', message, { input });
  }
  for (const other of Object.values(lists)) {
    if (other !== undefined && other !== list && contents[other].length > 0) throw wrongList(input, dtype, other);
  }
  const chunks = contents[list];
  if (dtype === 'string') return readTexts(input, shape, elementCount, chunks);
  const packed = joined(chunks);
  if (dtype === 'float32' || dtype === 'float64') return fromBinary(input, dtype, shape, elementCount, packed);
  return readIntegers(input, dtype, shape, elementCount, packed);
}

function wrongList(input: string, dtype: DType, list: string): ModelwrightError {
  return new ModelwrightError('invalid-argument', `input '${input}': ${list} cannot hold ${datatypeOf(dtype)}`, {
    input,
  });
}

function readTexts(input: string, shape: readonly number[], count: number, texts: readonly Uint8Array[]): Tensor {
  if (texts.length !== count) throw wrongCount(input, count, texts.length);
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const strings = texts.map((bytes, index) => {
    try {
      return decoder.decode(bytes);
    } catch {
      throw new ModelwrightError('invalid-argument', `input '${input}': element ${index} is not UTF-8`, { input });
    }
  });
  return new Tensor('string', shape, strings);
}

function readIntegers(
  input: string,
  dtype: DType,
  shape: readonly number[],
  count: number,
  packed: Uint8Array,
): Tensor {
  // Each takes a byte at least: a huge count is refused before memory for it is.
  if (packed.byteLength < count) throw wrongCount(input, count, packed.byteLength);
  const words = new BigInt64Array(count);
  // Pairs of 32-bit halves over the same memory: no bigint is made for any element.
  const halves = new Int32Array(words.buffer);
  let at = 0;
  for (let index = 0; index < count; index++) at = readVarint(packed, at, halves, 2 * index, input);
  if (at !== packed.byteLength) throw wrongCount(input, count, 'more');
  if (dtype === 'int64') return new Tensor(dtype, shape, words);
  if (dtype === 'uint64') return new Tensor(dtype, shape, new BigUint64Array(words.buffer));
  return fromBinary(input, dtype, shape, count, fittingBytes(input, dtype, halves, count));
}

/** Writes the value's two halves at `to`; returns where the next begins. */
function readVarint(bytes: Uint8Array, from: number, halves: Int32Array, to: number, input: string): number {
  let low = 0;
  let high = 0;
  let at = from;
  for (let shift = 0; shift < 70; shift += 7) {
    const byte = bytes[at++];
    if (byte === undefined) break;
    const bits = byte & 0x7f;
    if (shift < 32) low |= bits << shift;
    if (shift === 28) high = bits >>> 4;
    else if (shift > 28) high |= bits << (shift - 32);
    if (byte >= 0x80) continue;
    halves[to] = low;
    halves[to + 1] = high;
    return at;
  }
  throw new ModelwrightError('invalid-argument', `input '${input}': a number in its contents does not end`, { input });
}

/** The low bytes of each value, once all are known to be enough. */
function fittingBytes(input: string, dtype: DType, halves: Int32Array, count: number): Uint8Array {
  const { kind, bytes: width } = dtypeFacts[dtype];
  const bits = dtypeFacts[dtype].bits;
  const lowest = kind === 'int' ? -(2 ** (bits - 1)) : 0;
  const highest = dtype === 'bool' ? 1 : kind === 'int' ? 2 ** (bits - 1) - 1 : 2 ** bits - 1;
  const packed = new Uint8Array(count * width);
  for (let index = 0; index < count; index++) {
    const low = halves[2 * index] as number;
    const value = kind === 'int' ? low : low >>> 0;
    if (value < lowest || value > highest) {
      const message = `input '${input}': element ${index} is ${value}, which is no ${datatypeOf(dtype)}`;
      throw new ModelwrightError('value-out-of-range', message, { input, given: value });
    }
    for (let byte = 0; byte < width; byte++) packed[index * width + byte] = low >>> (8 * byte);
  }
  return packed;
}

function wrongCount(input: string, expected: number, given: number | string): ModelwrightError {
  const message = `input '${input}': its shape has ${expected} elements, but its contents have ${given}`;
  return new ModelwrightError('invalid-argument', message, { input, given, allowed: expected });
}

/** A tensor as the list of its type; see {@link hasList}. */
export function writeContents(tensor: Tensor): InferTensorContents {
  const list = lists[tensor.dtype];
  if (list === undefined) throw new ModelwrightError('unsupported-dtype', `no list holds ${datatypeOf(tensor.dtype)}`);
  return create(InferTensorContentsSchema, { [list]: chunksOf(tensor) });
}

function chunksOf(tensor: Tensor): Uint8Array[] {
  const { dtype, data } = tensor;
  if (dtype === 'string') {
    const encoder = new TextEncoder();
    return (data as string[]).map((text) => encoder.encode(text));
  }
  if (data.length === 0) return [];
  if (dtype === 'float32' || dtype === 'float64') return [toBinary(tensor)];
  const writer = new BinaryWriter();
  if (isBigInt(dtype)) for (const value of data as BigInt64Array) writer.uint64(BigInt.asUintN(64, value));
  else if (dtypeFacts[dtype].kind === 'int') for (const value of data as Int32Array) writer.int32(value);
  else for (const value of data as Uint32Array) writer.uint32(value);
  return [writer.finish()];
}

/** The chunks as one run of bytes; no copy if there is one. */
function joined(chunks: readonly Uint8Array[]): Uint8Array {
  if (chunks.length === 1) return chunks[0] as Uint8Array;
  const bytes = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0));
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return bytes;
}
