import { dtypeFacts, ModelwrightError, Tensor, viewData } from '@modelwright/core';
import { fromElementCode } from '../element-type.js';
import type { OrtApi } from './ort-api.js';

/**
 * Copies an output that the runtime allocated into JS memory. The `OrtValue` stays the caller's to release.
 *
 * @throws ModelwrightError `unsupported-dtype` for element types without an array in JS, and for sequences and maps.
 */
export function readValue(api: OrtApi, value: bigint): Tensor {
  const valueKind = api.integer('GetValueType', value);
  if (valueKind !== 1)
    throw new ModelwrightError('unsupported-dtype', `This output is no tensor (ONNX value type ${valueKind}).`);
  const { code, dims } = readShape(api, value);
  const type = fromElementCode(code);
  if (type === undefined)
    throw new ModelwrightError('unsupported-dtype', `Outputs of ONNX element type ${code} cannot be read.`);
  const length = dims.reduce((product, dim) => product * dim, 1);
  if (type === 'string') return new Tensor(type, dims, readStrings(api, value, length));
  const sizeBytes = length * dtypeFacts[type].bytes;
  const buffer = api.copy(api.pointer('GetTensorMutableData', value), sizeBytes);
  return new Tensor(type, dims, viewData(type, buffer, 0, length));
}

function readShape(api: OrtApi, value: bigint): { code: number; dims: number[] } {
  const info = api.pointer('GetTensorTypeAndShape', value);
  try {
    return readTypeAndShape(api, info);
  } finally {
    api.functions.ReleaseTensorTypeAndShapeInfo(info);
  }
}

/** Reads an `OrtTensorTypeAndShapeInfo`; dimensions the model leaves open are −1. */
export function readTypeAndShape(api: OrtApi, info: bigint): { code: number; dims: number[] } {
  const code = api.integer('GetTensorElementType', info);
  const rank = Number(api.pointer('GetDimensionsCount', info));
  const dims = new BigInt64Array(rank);
  if (rank > 0) api.call('GetDimensions', info, api.address(dims), rank);
  api.hold(dims);
  return { code, dims: Array.from(dims, Number) };
}

function readStrings(api: OrtApi, value: bigint, length: number): string[] {
  const sizeBytes = Number(api.pointer('GetStringTensorDataLength', value));
  const bytes = new Uint8Array(sizeBytes);
  const offsets = new BigUint64Array(length);
  if (length > 0)
    api.call('GetStringTensorContent', value, api.address(bytes), sizeBytes, api.address(offsets), length);
  api.hold(bytes, offsets);
  return Array.from(offsets, (offset, index) => {
    const end = index + 1 < length ? Number(offsets[index + 1]) : sizeBytes;
    return Buffer.from(bytes.buffer, Number(offset), end - Number(offset)).toString('utf8');
  });
}
