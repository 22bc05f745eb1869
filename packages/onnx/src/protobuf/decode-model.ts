import { fromBinary } from '@bufbuild/protobuf';
import { isModelwrightError, ModelwrightError } from '@modelwright/core';
import { type ModelProto, ModelProtoSchema } from '../generated/onnx.generated.js';
import type { ReadLimits } from '../limits.js';
import { checkWire } from './check-wire.js';

/**
 * Decodes the protobuf layer of an ONNX file. Tensor data stay views of `bytes`.
 *
 * @throws {@link ModelwrightError} `invalid-model` if the bytes are no ONNX model, `limit-exceeded` past a limit.
 */
export function decodeModel(bytes: Uint8Array, limits: ReadLimits): ModelProto {
  if (bytes.byteLength > limits.maxFileBytes) {
    throw new ModelwrightError(
      'limit-exceeded',
      `the ONNX file has ${bytes.byteLength} bytes; the option limits.maxFileBytes allows ${limits.maxFileBytes}`,
      { given: bytes.byteLength, allowed: limits.maxFileBytes },
    );
  }
  checkWire(ModelProtoSchema, bytes, limits);
  const model = decode(bytes, limits);
  if (model.graph === undefined) {
    throw new ModelwrightError('invalid-model', 'not a valid ONNX file: it holds no graph', {
      hint: 'check that this is a .onnx file, and that it was transferred completely',
    });
  }
  return model;
}

function decode(bytes: Uint8Array, limits: ReadLimits): ModelProto {
  try {
    return fromBinary(ModelProtoSchema, bytes, { readUnknownFields: false, recursionLimit: limits.maxDepth + 1 });
  } catch (cause) {
    if (isModelwrightError(cause)) throw cause;
    throw new ModelwrightError('invalid-model', `not a valid ONNX file: ${(cause as Error).message}`, { cause });
  }
}
