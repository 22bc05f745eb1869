import { fromBinary } from '@bufbuild/protobuf';
import type { Tensor } from '@modelwright/core';
import { TensorProtoSchema } from '../generated/onnx.generated.js';
import { defaultReadLimits } from '../limits.js';
import { checkWire } from '../protobuf/check-wire.js';
import { decodeTensor } from '../tensor/decode-tensor.js';
import { externalDataFrom } from '../tensor/external-data.js';

/**
 * Reads a single tensor from a `.pb` file, the form in which test data for ONNX models are kept.
 *
 * @returns the tensor and the name it carries, which may be empty.
 * @throws {@link ModelwrightError} as `readOnnx` does.
 */
export function readTensor(bytes: Uint8Array): { readonly name: string; readonly tensor: Tensor } {
  checkWire(TensorProtoSchema, bytes, defaultReadLimits);
  const proto = fromBinary(TensorProtoSchema, bytes, { readUnknownFields: false });
  const context = { limits: defaultReadLimits, externalData: externalDataFrom({}) };
  return { name: proto.name, tensor: decodeTensor(proto, `tensor '${proto.name}'`, context) };
}
