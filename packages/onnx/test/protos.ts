import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import {
  type FunctionProtoSchema,
  type GraphProtoSchema,
  ModelProtoSchema,
  type NodeProtoSchema,
  type ValueInfoProtoSchema,
} from '../src/generated/onnx.generated.js';

export type NodeInit = Exclude<MessageInitShape<typeof NodeProtoSchema>, { $typeName: string }>;
export type GraphInit = Exclude<MessageInitShape<typeof GraphProtoSchema>, { $typeName: string }>;
export type FunctionInit = Exclude<MessageInitShape<typeof FunctionProtoSchema>, { $typeName: string }>;

/** A float32 value of a shape; undefined leaves the shape open. */
export function info(
  name: string,
  shape?: readonly (number | string)[],
  elemType = 1,
): MessageInitShape<typeof ValueInfoProtoSchema> {
  const dim = shape?.map((extent) =>
    typeof extent === 'string'
      ? { value: { case: 'dimParam' as const, value: extent } }
      : { value: { case: 'dimValue' as const, value: BigInt(extent) } },
  );
  return {
    name,
    type: { value: { case: 'tensorType', value: { elemType, ...(dim === undefined ? {} : { shape: { dim } }) } } },
  };
}

export function node(
  opType: string,
  input: readonly string[],
  output: readonly string[],
  more: NodeInit = {},
): NodeInit {
  return { opType, input: [...input], output: [...output], ...more };
}

/** The bytes of a file that no writer would make. */
export function modelBytes(
  graph: GraphInit,
  more: {
    readonly functions?: FunctionInit[];
    readonly opset?: number;
    readonly irVersion?: number;
    readonly metadata?: Record<string, string>;
  } = {},
): Uint8Array {
  const { functions = [], opset = 17, irVersion = 8, metadata = {} } = more;
  const model = create(ModelProtoSchema, {
    irVersion: BigInt(irVersion),
    opsetImport: [{ domain: '', version: BigInt(opset) }],
    graph: { name: 'graph', ...graph },
    functions,
    metadataProps: Object.entries(metadata).map(([key, value]) => ({ key, value })),
  });
  return toBinary(ModelProtoSchema, model);
}
