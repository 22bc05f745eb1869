import {
  allocateData,
  type DType,
  dtypeFacts,
  isBigInt,
  ModelwrightError,
  type NumericDType,
  Tensor,
  type TensorData,
  viewData,
} from '@modelwright/core';
import { type TensorProto, TensorProto_DataLocation } from '../generated/onnx.generated.js';
import type { ReadLimits } from '../limits.js';
import { dtypeOfElementType } from './element-type.js';
import { type ExternalDataSource, externalReferenceOf } from './external-data.js';
import { unpackNibbles } from './nibbles.js';
import { decodeText } from './text.js';
import { decodeVarint32, decodeVarint64, joinChunks } from './varint-data.js';

/** What decoding a tensor needs to know beside the message itself. */
export interface TensorContext {
  readonly limits: ReadLimits;
  readonly externalData: ExternalDataSource;
}

/**
 * Makes a host tensor of a `TensorProto`. Raw data are not copied where their position in the file is aligned to the
 * element, so the tensor keeps the file's bytes alive.
 *
 * @param what - How messages name the tensor, such as `initializer 'conv.weight'`.
 * @throws {@link ModelwrightError} `unsupported-dtype` for an element type that has no dtype, `invalid-model` if data
 * and shape disagree.
 */
export function decodeTensor(proto: TensorProto, what: string, context: TensorContext): Tensor {
  const dtype = dtypeOfElementType(proto.dataType, what);
  const shape = decodeDims(proto.dims, what, context.limits);
  const count = shape.reduce((product, extent) => product * extent, 1);
  if (proto.segment !== undefined) throw new ModelwrightError('invalid-model', `${what} is split into segments`);
  return new Tensor(dtype, shape, decodeData(proto, dtype, count, what, context));
}

/**
 * Extents as numbers.
 *
 * @throws {@link ModelwrightError} `invalid-model` for negative or absurd extents, `limit-exceeded` for too many axes.
 */
export function decodeDims(dims: readonly bigint[], what: string, limits: ReadLimits): number[] {
  if (dims.length > limits.maxRank) {
    throw new ModelwrightError(
      'limit-exceeded',
      `${what} has ${dims.length} axes; limits.maxRank allows ${limits.maxRank}`,
    );
  }
  const shape = dims.map(Number);
  const count = shape.reduce((product, extent) => product * Math.max(1, extent), 1);
  if (shape.some((extent) => extent < 0) || !Number.isSafeInteger(count)) {
    throw new ModelwrightError('invalid-model', `${what} has the impossible shape [${shape}]`, { given: shape });
  }
  return shape;
}

function decodeData(proto: TensorProto, dtype: DType, count: number, what: string, context: TensorContext): TensorData {
  if (dtype === 'string') return decodeStrings(proto, count, what);
  const raw = rawBytes(proto, packedBytesOf(dtype, count), what, context);
  if (raw !== undefined) return decodeRaw(raw, dtype, count, what);
  return decodeTyped(proto, dtype, count, what);
}

function decodeStrings(proto: TensorProto, count: number, what: string): string[] {
  expectCount(proto.stringData.length, count, what);
  return proto.stringData.map((bytes) => {
    const text = decodeText(bytes);
    if (text !== undefined) return text;
    throw new ModelwrightError('invalid-model', `${what} holds text that is not UTF-8`);
  });
}

/** Bytes that `count` elements take in a file, where two 4-bit elements share one. */
export function packedBytesOf(dtype: NumericDType, count: number): number {
  return Math.ceil((count * dtypeFacts[dtype].bits) / 8);
}

function rawBytes(proto: TensorProto, expected: number, what: string, context: TensorContext): Uint8Array | undefined {
  if (proto.dataLocation === TensorProto_DataLocation.EXTERNAL) {
    return context.externalData(externalReferenceOf(proto, expected, what));
  }
  const typed = [proto.floatData, proto.int32Data, proto.int64Data, proto.doubleData, proto.uint64Data];
  if (proto.rawData.length > 0 || typed.every((chunks) => chunks.length === 0)) return proto.rawData;
  return undefined;
}

/**
 * Little-endian element bytes, as ONNX stores them, as tensor data.
 *
 * @throws {@link ModelwrightError} `invalid-model` if there are not exactly as many bytes as `count` elements take.
 */
export function decodeRaw(raw: Uint8Array, dtype: NumericDType, count: number, what: string): TensorData {
  const expected = packedBytesOf(dtype, count);
  if (raw.length !== expected) {
    throw new ModelwrightError(
      'invalid-model',
      `${what} holds ${raw.length} bytes of data, but its shape needs ${expected} (${count} elements of ${dtype})`,
      { given: raw.length, allowed: expected },
    );
  }
  if (dtype === 'int4' || dtype === 'uint4') return unpackNibbles(raw, dtype, count);
  const isAligned = raw.byteOffset % dtypeFacts[dtype].bytes === 0;
  // Not `slice`: that of a Node Buffer gives the same memory again.
  const bytes = isAligned ? raw : new Uint8Array(raw);
  return viewData(dtype, bytes.buffer, bytes.byteOffset, count);
}

function decodeTyped(proto: TensorProto, dtype: NumericDType, count: number, what: string): TensorData {
  if (dtype === 'float32') return decodeRaw(joinChunks(proto.floatData), dtype, count, what);
  if (dtype === 'float64') return decodeRaw(joinChunks(proto.doubleData), dtype, count, what);
  if (isBigInt(dtype)) {
    const values = decodeVarint64(dtype === 'int64' ? proto.int64Data : proto.uint64Data, count);
    expectCount(values.length, count, what);
    return viewData(dtype, values.buffer, values.byteOffset, count);
  }
  const packedCount = dtypeFacts[dtype].bits === 4 ? Math.ceil(count / 2) : count;
  const values = decodeVarint32(dtype === 'uint32' ? proto.uint64Data : proto.int32Data, packedCount);
  expectCount(values.length, packedCount, what);
  if (dtype === 'int4' || dtype === 'uint4') return unpackNibbles(Uint8Array.from(values), dtype, count);
  const data = allocateData(dtype, count);
  // Storing wraps to the width of the element, which is how 8- and 16-bit values, halves included, are kept.
  (data as Int32Array).set(values);
  return data;
}

function expectCount(given: number, count: number, what: string): void {
  if (given === count) return;
  throw new ModelwrightError(
    'invalid-model',
    `${what} holds ${given > count ? `more than ${count}` : given} values, but its shape needs ${count}`,
    { given, allowed: count },
  );
}
