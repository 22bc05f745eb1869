import type { MessageInitShape } from '@bufbuild/protobuf';
import { isUnknownShape, onnxDataType, type ValueType } from '@modelwright/core';
import type { ValueInfoProtoSchema } from '../generated/onnx.generated.js';
import { isAnonymous } from './write-options.js';

type ValueInfoInit = MessageInitShape<typeof ValueInfoProtoSchema>;

/** Name, element type and shape of a value. Extents without a name of their own stay open. */
export function valueInfo(name: string, type: ValueType): ValueInfoInit {
  const { dtype, shape } = type;
  if (isUnknownShape(type.shape))
    return { name, type: { value: { case: 'tensorType', value: { elemType: onnxDataType(dtype) } } } };
  const dim = shape.map((extent) => {
    if (typeof extent === 'number') return { value: { case: 'dimValue' as const, value: BigInt(extent) } };
    return isAnonymous(extent) ? {} : { value: { case: 'dimParam' as const, value: extent } };
  });
  return { name, type: { value: { case: 'tensorType', value: { elemType: onnxDataType(dtype), shape: { dim } } } } };
}
