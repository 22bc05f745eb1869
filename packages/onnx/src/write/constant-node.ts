import { create } from '@bufbuild/protobuf';
import type { Tensor } from '@modelwright/core';
import {
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  type NodeProto,
  NodeProtoSchema,
} from '../generated/onnx.generated.js';
import { tensorProto } from './encode-tensor.js';

/** A node that gives a constant, where an initializer cannot stand. */
export function constantNode(name: string, tensor: Tensor): NodeProto {
  return create(NodeProtoSchema, {
    name: `${name}/Constant`,
    opType: 'Constant',
    output: [name],
    attribute: [
      create(AttributeProtoSchema, {
        name: 'value',
        type: AttributeProto_AttributeType.TENSOR,
        t: tensorProto(tensor),
      }),
    ],
  });
}
