import { fromBinary } from '@bufbuild/protobuf';
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AccessControl } from '../contract/access.js';
import type { Hub } from '../contract/hub.js';
import { GRPCInferenceService, ModelStreamInferResponseSchema } from '../generated/open-inference.generated.js';
import { type GrpcServer, serveGrpc } from '../grpc/serve-grpc.js';
import {
  type Caller,
  createCallers,
  createMatrixHub,
  type Endpoint,
  expectedStatus,
  httpStatusOf,
  type ModelName,
  models,
  rpcEndpoints,
  rpcMessage,
} from './matrix.cases.js';

let callers: readonly Caller[];
let access: AccessControl;
let hub: Hub;
let server: GrpcServer;
let client: Client;

beforeAll(async () => {
  ({ callers, access } = await createCallers());
  hub = await createMatrixHub(access);
  server = await serveGrpc({ hub, access, port: 0 });
  client = new Client(server.address, credentials.createInsecure());
});
afterAll(async () => {
  client.close();
  await server.close(0);
  await hub.dispose();
});

async function ask(call: string, caller: Caller, model: ModelName): Promise<number> {
  const metadata = new Metadata();
  if (caller.key !== undefined) metadata.set('authorization', `Bearer ${caller.key}`);
  const path = `/${GRPCInferenceService.typeName}/${call}`;
  const message = Buffer.from(rpcMessage(call, model));
  const status =
    call === 'ModelStreamInfer' ? await stream(path, message, metadata) : await unary(path, message, metadata);
  if (call === 'RepositoryModelUnload' && model !== 'wombat') {
    const principal = { id: 'test', kind: 'key', roles: ['all'] } as const;
    await hub.viewOf({ principal, requestId: 'test', protocol: 'test' }).load(model);
  }
  return status;
}

const same = (bytes: Buffer): Buffer => bytes;

function unary(path: string, message: Buffer, metadata: Metadata): Promise<number> {
  return new Promise((resolve) => {
    client.makeUnaryRequest(path, same, same, message, metadata, (error: ServiceError | null) =>
      resolve(httpStatusOf(error?.code ?? 0)),
    );
  });
}

/** What is wrong with one message of a stream is its answer. */
function stream(path: string, message: Buffer, metadata: Metadata): Promise<number> {
  return new Promise((resolve) => {
    const call = client.makeBidiStreamRequest(path, same, same, metadata);
    let problem = '';
    call.on('data', (bytes: Buffer) => {
      problem = fromBinary(ModelStreamInferResponseSchema, bytes).errorMessage;
    });
    call.on('error', ({ code }: ServiceError) => resolve(httpStatusOf(code)));
    call.on('end', () => resolve(problem === '' ? 200 : problem.includes('permission') ? 403 : 404));
    call.write(message);
    call.end();
  });
}

/** A call of gRPC is judged by the model that it names; nothing is asked of the server as a whole before. */
function expected(caller: Caller, endpoint: Endpoint, model: ModelName): number {
  return expectedStatus(caller, endpoint.model === 'body' ? { ...endpoint, model: 'path' } : endpoint, model);
}

test('the matrix names every call, and no other', () => {
  expect(GRPCInferenceService.methods.map(({ name }) => name).sort()).toEqual(Object.keys(rpcEndpoints).sort());
});

describe.each(Object.entries(rpcEndpoints))('%s', (call, endpoint) => {
  test('answers those who may, and nobody else', async () => {
    const cells = callers.flatMap((caller) =>
      models.map((model) => ({ caller, model, name: `${caller.name} · ${model}` })),
    );
    const wanted = cells.map(({ caller, model, name }) => [name, expected(caller, endpoint, model)]);
    const given: [string, number][] = [];
    for (const { caller, model, name } of cells) given.push([name, await ask(call, caller, model)]);
    expect(Object.fromEntries(given)).toEqual(Object.fromEntries(wanted));
  });
});
