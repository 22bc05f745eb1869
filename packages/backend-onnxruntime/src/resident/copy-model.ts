import { type DType, GraphBuilder } from '@modelwright/core';
import { writeOnnx } from '@modelwright/onnx';

/** @returns a model of one `Identity` from `x` to `y`: how tensors get onto a device and back. */
export function copyModel(dtype: DType, rank: number): Uint8Array {
  const builder = new GraphBuilder('copy');
  const x = builder.input(
    'x',
    dtype,
    Array.from({ length: rank }, (_, axis) => `d${axis}`),
  );
  builder.output('y', builder.op('Identity', [x]));
  return writeOnnx(builder.build(), { valueInfo: false, trainingMetadata: false }).bytes;
}
