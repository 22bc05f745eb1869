import {
  type DType,
  dtypeFacts,
  elementCountOf,
  ModelwrightError,
  type NumericDType,
  Tensor,
  viewData,
} from '@modelwright/core';
import { fromBase64, toBase64 } from './base64.js';
import type { EncodedTensor } from './golden-set.js';

/** A tensor as JSON can hold it, exactly. Strings are UTF-8, each behind its length as a 32-bit number. */
export function encodeTensor(tensor: Tensor): EncodedTensor {
  const { dtype, shape, data } = tensor;
  const bytes =
    dtype === 'string'
      ? packStrings(data as string[])
      : littleEndian(viewBytes(data as ArrayBufferView), dtypeFacts[dtype].bytes);
  return { dtype, shape: [...shape], base64: toBase64(bytes) };
}

/**
 * The tensor that {@link encodeTensor} took.
 *
 * @throws {@link ModelwrightError} `invalid-data` if dtype, shape and bytes do not fit together.
 */
export function decodeTensor(encoded: EncodedTensor, what = 'the tensor'): Tensor {
  const { dtype, shape } = encoded;
  const facts = Object.hasOwn(dtypeFacts, dtype) ? dtypeFacts[dtype] : undefined;
  if (facts === undefined || !Array.isArray(shape)) throw invalid(what, 'has no dtype or no shape');
  const bytes = decodeText(encoded.base64, what);
  const count = elementCountOf(shape);
  if (dtype === 'string') return new Tensor('string', shape, unpackStrings(bytes, count, what));
  if (bytes.length !== count * facts.bytes)
    throw invalid(what, `of shape [${shape}] takes ${count * facts.bytes} bytes, ${bytes.length} are there`);
  const elements = littleEndian(bytes, facts.bytes);
  return new Tensor<DType>(dtype, shape, viewData(dtype as NumericDType, elements.buffer, elements.byteOffset, count));
}

function decodeText(base64: string, what: string): Uint8Array {
  try {
    return fromBase64(base64);
  } catch {
    throw invalid(what, 'is no base64');
  }
}

function invalid(what: string, why: string): ModelwrightError {
  return new ModelwrightError('invalid-data', `${what} ${why}`);
}

function viewBytes({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

const isLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** Turns elements round where the machine stores them the other way. */
function littleEndian(bytes: Uint8Array, elementBytes: number): Uint8Array {
  if (isLittleEndian || elementBytes <= 1) return bytes;
  return bytes.map((_, index) => bytes[index - (index % elementBytes) + (elementBytes - 1 - (index % elementBytes))]!);
}

function packStrings(texts: readonly string[]): Uint8Array {
  const encoded = texts.map((text) => new TextEncoder().encode(text));
  const bytes = new Uint8Array(encoded.reduce((sum, text) => sum + 4 + text.length, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const text of encoded) {
    view.setUint32(at, text.length, true);
    bytes.set(text, at + 4);
    at += 4 + text.length;
  }
  return bytes;
}

function unpackStrings(bytes: Uint8Array, count: number, what: string): string[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const texts: string[] = [];
  let at = 0;
  while (at + 4 <= bytes.length && texts.length < count) {
    const end = at + 4 + view.getUint32(at, true);
    if (end > bytes.length) break;
    texts.push(new TextDecoder().decode(bytes.subarray(at + 4, end)));
    at = end;
  }
  if (texts.length !== count || at !== bytes.length) throw invalid(what, `does not hold ${count} strings`);
  return texts;
}
