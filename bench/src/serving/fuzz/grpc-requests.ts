import { fileURLToPath } from 'node:url';
import { loadSync, type MethodDefinition } from '@grpc/proto-loader';
import fc from 'fast-check';
import { mutatedBytes } from './mutations.js';

/** One call, its message as bytes that may be none. */
export interface GrpcRequest {
  readonly kind: 'grpc';
  readonly path: string;
  readonly message: Uint8Array;
}

const proto = new URL('../../../../packages/server/proto/open-inference.proto', import.meta.url);
const service = loadSync(fileURLToPath(proto))['inference.GRPCInferenceService'] as unknown as {
  readonly [method: string]: MethodDefinition<object, object>;
};

function messageOf(method: string, request: object): Uint8Array {
  return (service[method] as MethodDefinition<object, object>).requestSerialize(request);
}

const raw = (...values: readonly number[]): Buffer => Buffer.from(new Float32Array(values).buffer);

/** Calls in order; what is sent differs from them in a few bytes. */
const calls: readonly (readonly [method: string, request: object])[] = [
  ['ServerLive', {}],
  ['ServerReady', {}],
  ['ServerMetadata', {}],
  ['ModelReady', { name: 'linear' }],
  ['ModelMetadata', { name: 'echo', version: '1' }],
  ['ModelStatistics', { name: 'linear' }],
  ['RepositoryIndex', { ready: true }],
  ['RepositoryModelLoad', { modelName: 'absent' }],
  [
    'ModelInfer',
    {
      modelName: 'linear',
      id: '1',
      inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 2], contents: { fp32Contents: [1, 2] } }],
    },
  ],
  [
    'ModelInfer',
    {
      modelName: 'linear',
      inputs: [{ name: 'x', datatype: 'FP32', shape: [2, 2] }],
      rawInputContents: [raw(1, 2, 3, 4)],
    },
  ],
  [
    'ModelInfer',
    {
      modelName: 'echo',
      inputs: [
        { name: 'long', datatype: 'INT64', shape: [1], contents: { int64Contents: [7] } },
        { name: 'half', datatype: 'FP16', shape: [0] },
        { name: 'flag', datatype: 'BOOL', shape: [1], contents: { boolContents: [true] } },
        { name: 'byte', datatype: 'UINT8', shape: [1], contents: { uintContents: [255] } },
        { name: 'text', datatype: 'BYTES', shape: [1], contents: { bytesContents: [Buffer.from('ä')] } },
      ],
      outputs: [{ name: 'text_out' }],
    },
  ],
];

const nearlyRight = fc.oneof(
  ...calls.map(([method, request]) => {
    const message = messageOf(method, request);
    return fc
      .oneof({ weight: 1, arbitrary: fc.constant(message) }, { weight: 5, arbitrary: mutatedBytes(message) })
      .map((bytes) => ({
        kind: 'grpc' as const,
        path: `/inference.GRPCInferenceService/${method}`,
        message: bytes,
      }));
  }),
);

const noise = fc
  .record({
    path: fc.constantFrom(
      '/inference.GRPCInferenceService/ModelInfer',
      '/inference.GRPCInferenceService/Nothing',
      '/x/y',
    ),
    message: fc.uint8Array({ maxLength: 200 }),
  })
  .map((request) => ({ kind: 'grpc' as const, ...request }));

/** Calls over gRPC, most of them nearly right. */
export const grpcRequests: fc.Arbitrary<GrpcRequest> = fc.oneof(
  { weight: 9, arbitrary: nearlyRight },
  { weight: 1, arbitrary: noise },
);
