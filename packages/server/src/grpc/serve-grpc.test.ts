import { once } from 'node:events';
import { connect } from 'node:http2';
import { fileURLToPath } from 'node:url';
import { type Client, credentials, loadPackageDefinition, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import type { Hono } from 'hono';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAccessControl } from '../access/access-control.js';
import { createApiKey } from '../access/api-key.js';
import type { ServerEvent } from '../contract/events.js';
import type { Hub } from '../contract/hub.js';
import { serverMetadata } from '../open-inference/server-metadata.js';
import { startService } from '../open-inference/service.cases.js';
import { grpcWebRoutes } from './grpc-web-routes.js';
import { type GrpcServer, serveGrpc } from './serve-grpc.js';

type Message = Readonly<Record<string, unknown>>;
type Call = (request: Message, metadata: Metadata, options: object, done: Done) => { cancel(): void };
type Done = (error: ServiceError | null, answer: Message) => void;

const keys = new Map<string, string>();
const events: ServerEvent[] = [];
let app: Hono;
let hub: Hub;
let server: GrpcServer;
let client: Client;
let health: Client;

function protoOf(name: string): Record<string, never> {
  const file = fileURLToPath(new URL(`../../proto/${name}.proto`, import.meta.url));
  return loadPackageDefinition(
    loadSync(file, { keepCase: true, longs: String, enums: String, oneofs: true, defaults: true }),
  ) as Record<string, never>;
}

beforeAll(async () => {
  const records = [];
  for (const role of ['user', 'viewer', 'linear-only', 'operator', 'slow', 'hasty']) {
    const { key, record } = await createApiKey({ name: role, roles: [role] });
    keys.set(role, key);
    records.push(record);
  }
  const access = createAccessControl({
    keys: records,
    policy: {
      roles: {
        user: [{ models: ['*'], actions: ['read', 'infer'] }],
        viewer: [{ models: ['*'], actions: ['read', 'observe'] }],
        'linear-only': [{ models: ['linear'], actions: ['read', 'infer', 'control'] }],
        operator: [{ models: ['*'], actions: ['control', 'read'] }],
        slow: [{ models: ['*'], actions: ['infer'] }],
        hasty: [{ models: ['*'], actions: ['infer'] }],
      },
      limits: [{ roles: ['slow', 'hasty'], rate: { requests: 2, perSeconds: 3600 } }],
    },
  });
  ({ app, hub } = await startService(grpcWebRoutes(), { access }));
  hub.events.subscribe((event) => events.push(event));
  server = await serveGrpc({ hub, access, port: 0, limits: { maxMessageBytes: 2 ** 20 } });
  const { GRPCInferenceService } = protoOf('open-inference')['inference'] as never;
  client = new (GRPCInferenceService as new (...parts: unknown[]) => Client)(
    server.address,
    credentials.createInsecure(),
  );
  const { Health } = (protoOf('health')['grpc'] as never)['health']['v1'] as never;
  health = new (Health as new (...parts: unknown[]) => Client)(server.address, credentials.createInsecure());
});

afterAll(async () => {
  client.close();
  health.close();
  await server.close(0);
  await hub.dispose();
});

function metadataOf(role: string): Metadata {
  const metadata = new Metadata();
  if (role !== 'nobody') metadata.set('authorization', `Bearer ${keys.get(role)}`);
  return metadata;
}

function call(name: string, request: Message = {}, role = 'user', options = {}): Promise<Message> {
  const method = (client as unknown as Record<string, Call>)[name] as Call;
  return new Promise((resolve, reject) => {
    method.call(client, request, metadataOf(role), options, (error, answer) =>
      error ? reject(error) : resolve(answer),
    );
  });
}

const floats = (...values: number[]): Buffer => Buffer.from(Float32Array.from(values).buffer);
const rawRequest = {
  model_name: 'linear',
  id: 'r1',
  inputs: [{ name: 'x', datatype: 'FP32', shape: [2, 2] }],
  raw_input_contents: [floats(1, 0, 0, 1)],
};
const typedRequest = {
  model_name: 'linear',
  inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 2], contents: { fp32_contents: [1, 1] } }],
};

describe('gRPC', () => {
  it('tells what the server is, and whether it lives, to the probes without a key', async () => {
    expect(await call('ServerLive', {}, 'nobody')).toEqual({ live: true });
    expect(await call('ServerReady', {}, 'nobody')).toEqual({ ready: true });
    expect(await call('ServerMetadata')).toEqual(serverMetadata);
    const check = (service: string): Promise<Message> =>
      new Promise((resolve, reject) => {
        const method = (health as unknown as Record<string, Call>)['Check'] as Call;
        method.call(health, { service }, new Metadata(), {}, (error, answer) =>
          error ? reject(error) : resolve(answer),
        );
      });
    expect(await check('')).toEqual({ status: 'SERVING' });
    expect(await check('nothing')).toEqual({ status: 'SERVICE_UNKNOWN' });
  });

  it('tells of models', async () => {
    expect(await call('ModelReady', { name: 'echo', version: '3' })).toEqual({ ready: true });
    expect(await call('ModelMetadata', { name: 'linear' })).toMatchObject({
      name: 'linear',
      versions: ['1'],
      inputs: [{ name: 'x', datatype: 'FP32', shape: ['-1', '2'] }],
      properties: { sha256: hub.viewOf({ principal, requestId: '', protocol: '' }).info('linear').sha256 },
    });
  });

  it('tells how models are served, as Triton does', async () => {
    const { config } = await call('ModelConfig', { name: 'linear' });
    expect(config).toMatchObject({
      name: 'linear',
      max_batch_size: 8,
      input: [{ name: 'x', data_type: 'TYPE_FP32', dims: ['2'] }],
      output: [{ name: 'y', data_type: 'TYPE_FP32', dims: ['3'] }],
      scheduling_choice: 'dynamic_batching',
    });
  });

  it('infers from raw bytes and answers in raw bytes', async () => {
    const answer = await call('ModelInfer', rawRequest);
    expect(answer).toMatchObject({ model_name: 'linear', model_version: '1', id: 'r1' });
    expect(answer['outputs']).toMatchObject([{ name: 'y', datatype: 'FP32', shape: ['2', '3'], contents: null }]);
    expect(answer['raw_output_contents']).toEqual([floats(1, 2, 3, 4, 5, 6)]);
  });

  it('infers from typed contents and answers in them', async () => {
    const answer = await call('ModelInfer', typedRequest);
    expect(answer['outputs']).toMatchObject([{ contents: { fp32_contents: [5, 7, 9] } }]);
    expect(answer['raw_output_contents']).toEqual([]);
  });

  it('keeps every bit of 64-bit integers, texts and 16-bit floats', async () => {
    const long = Buffer.from(BigInt64Array.of(2n ** 62n + 1n, -1n).buffer);
    const text = Buffer.concat([Buffer.from([3, 0, 0, 0]), Buffer.from('äb')]);
    const raw = [long, Buffer.from([1, 2, 3, 4]), text];
    const inputs = [
      { name: 'long', datatype: 'INT64', shape: [2] },
      { name: 'half', datatype: 'FP16', shape: [2] },
      { name: 'text', datatype: 'BYTES', shape: [1] },
    ];
    const answer = await call('ModelInfer', { model_name: 'echo', inputs, raw_input_contents: raw });
    expect(answer['raw_output_contents']).toEqual(raw);
  });

  it('gives only the outputs asked for, as classes where wanted', async () => {
    const outputs = [{ name: 'y', parameters: { classification: { int64_param: 1 } } }];
    const answer = await call('ModelInfer', { ...typedRequest, outputs });
    expect(answer['outputs']).toMatchObject([{ datatype: 'BYTES', shape: ['1', '1'] }]);
    const [output] = answer['outputs'] as { contents: { bytes_contents: Buffer[] } }[];
    expect(String(output?.contents.bytes_contents[0])).toBe('9:2');
  });

  it('answers a stream in order, an error in the place of its request', async () => {
    const stream = (client as never as { ModelStreamInfer(metadata: Metadata): never }).ModelStreamInfer(
      metadataOf('user'),
    );
    const duplex = stream as unknown as NodeJS.ReadWriteStream & { end(): void; write(message: Message): void };
    const answers: Message[] = [];
    duplex.on('data', (answer: Message) => answers.push(answer));
    // One that waits for its answer, then two at once.
    duplex.write(rawRequest);
    await once(duplex, 'data');
    duplex.write({ ...rawRequest, id: 'bad', model_name: 'missing' });
    duplex.write({ ...rawRequest, id: 'r3' });
    duplex.end();
    await once(duplex, 'end');
    expect(answers.map((answer) => (answer['infer_response'] as Message)['id'])).toEqual(['r1', 'bad', 'r3']);
    expect(answers.map((answer) => answer['error_message'] !== '')).toEqual([false, true, false]);
  });

  it('asks permission for, and counts, each message of a stream', async () => {
    const ask = async (role: string, count: number): Promise<unknown[]> => {
      const open = client as never as { ModelStreamInfer(metadata: Metadata): NodeJS.ReadableStream };
      const stream = open.ModelStreamInfer(metadataOf(role));
      const duplex = stream as unknown as { end(): void; write(message: Message): void };
      for (let index = 0; index < count; index++) duplex.write(rawRequest);
      duplex.end();
      const errors: unknown[] = [];
      for await (const answer of stream) errors.push((answer as unknown as Message)['error_message']);
      return errors;
    };
    expect(await ask('viewer', 1)).toEqual([expect.stringContaining('no permission to infer')]);
    expect(await ask('hasty', 3)).toEqual(['', '', expect.stringMatching(/limit|requests/i)]);
    await expect(ask('nobody', 1)).rejects.toMatchObject({ code: status.UNAUTHENTICATED });
  });

  it('lists, unloads and loads models for those who may', async () => {
    const names = async (): Promise<unknown[]> => {
      const { models } = await call('RepositoryIndex', { ready: true }, 'operator');
      return (models as Message[]).map(({ name, version }) => `${name} ${version}`);
    };
    expect(await names()).toEqual(['linear 1', 'echo 3', 'brightness 1']);
    await call('RepositoryModelUnload', { model_name: 'linear' }, 'linear-only');
    expect(await names()).toEqual(['echo 3', 'brightness 1']);
    await expect(call('ModelInfer', typedRequest)).rejects.toMatchObject({ code: status.UNAVAILABLE });
    await call('RepositoryModelLoad', { model_name: 'linear' }, 'linear-only');
    expect(await names()).toEqual(['linear 1', 'echo 3', 'brightness 1']);
  });

  it('counts as Triton does', async () => {
    const { model_stats: before } = await call('ModelStatistics', { name: 'linear' }, 'viewer');
    await call('ModelInfer', rawRequest);
    const { model_stats: after } = await call('ModelStatistics', { name: 'linear' }, 'viewer');
    const count = (stats: unknown): number => Number((stats as Message[])[0]?.['inference_count']);
    expect(count(after) - count(before)).toBe(2);
  });

  it.each<[string, string, Message, string, status]>([
    ['no key', 'ServerMetadata', {}, 'nobody', status.UNAUTHENTICATED],
    ['no key for tensors', 'ModelInfer', rawRequest, 'nobody', status.UNAUTHENTICATED],
    ['a model that one may not run', 'ModelInfer', rawRequest, 'viewer', status.PERMISSION_DENIED],
    ['a model that one cannot see', 'ModelMetadata', { name: 'echo' }, 'linear-only', status.NOT_FOUND],
    [
      'loading without the permission',
      'RepositoryModelLoad',
      { model_name: 'linear' },
      'user',
      status.PERMISSION_DENIED,
    ],
    ['statistics without the permission', 'ModelStatistics', {}, 'user', status.PERMISSION_DENIED],
    ['a model that is not there', 'ModelInfer', { ...rawRequest, model_name: 'm' }, 'user', status.NOT_FOUND],
    [
      'too few bytes',
      'ModelInfer',
      { ...rawRequest, raw_input_contents: [floats(1)] },
      'user',
      status.INVALID_ARGUMENT,
    ],
    [
      'raw bytes beside contents',
      'ModelInfer',
      { ...typedRequest, raw_input_contents: [floats(1, 1)] },
      'user',
      status.INVALID_ARGUMENT,
    ],
    ['no data', 'ModelInfer', { ...rawRequest, raw_input_contents: [] }, 'user', status.INVALID_ARGUMENT],
    [
      'a message over the limit',
      'ModelInfer',
      { ...rawRequest, raw_input_contents: [Buffer.alloc(2 ** 21)] },
      'user',
      status.RESOURCE_EXHAUSTED,
    ],
    ['a name as long as a book', 'ModelReady', { name: 'x'.repeat(70_000) }, 'user', status.RESOURCE_EXHAUSTED],
  ])('refuses %s', async (_, name, request, role, code) => {
    await expect(call(name, request, role)).rejects.toMatchObject({ code });
  });

  it('says what is wrong in words', async () => {
    const inputs = [{ name: 'x', datatype: 'FP32', shape: [2, 3] }];
    await expect(call('ModelInfer', { ...rawRequest, inputs })).rejects.toMatchObject({
      details: "input 'x' has shape [batch, 2], but [2, 3] was given",
    });
    await expect(call('ModelReady', { name: '10 % ä' })).rejects.toMatchObject({
      details: expect.stringContaining('10 % ä'),
    });
  });

  it('tells when to come back, and what the limits are', async () => {
    await call('ModelInfer', rawRequest, 'slow');
    await call('ModelInfer', rawRequest, 'slow');
    const refusal = (await call('ModelInfer', rawRequest, 'slow').catch((error) => error)) as ServiceError;
    expect(refusal.code).toBe(status.RESOURCE_EXHAUSTED);
    expect(refusal.metadata.get('x-error-code')).toEqual(['rate-limited']);
    expect(Number(refusal.metadata.get('retry-after')[0])).toBeGreaterThan(1000);
  });

  it('heeds deadlines', async () => {
    const late = call('ModelInfer', rawRequest, 'user', { deadline: Date.now() - 1 });
    await expect(late).rejects.toMatchObject({ code: status.DEADLINE_EXCEEDED });
  });

  it('says in events that it was gRPC, and who asked', async () => {
    events.length = 0;
    await call('ModelInfer', rawRequest);
    const inferences = events.filter(({ kind }) => kind === 'inference');
    expect(inferences).toMatchObject([{ protocol: 'grpc', model: 'linear', count: 2, outcome: 'success' }]);
  });

  it('survives what is no gRPC', async () => {
    const session = connect(`http://${server.address}`);
    const ask = async (headers: Record<string, string>, body?: Buffer): Promise<Record<string, unknown>> => {
      const stream = session.request({ ':method': 'POST', ...headers });
      const trailers = new Promise<object>((resolve) =>
        stream.once('trailers', resolve).once('close', () => resolve({})),
      );
      const [answer] = (await once(stream.end(body), 'response')) as [Record<string, unknown>];
      stream.resume();
      return { ...answer, ...(await trailers) };
    };
    const path = '/inference.GRPCInferenceService/ServerLive';
    const type = { 'content-type': 'application/grpc' };
    expect(await ask({ ':path': '/' })).toMatchObject({ ':status': 404 });
    expect(await ask({ ':path': '/inference.GRPCInferenceService/No', ...type })).toMatchObject({
      'grpc-status': '12',
    });
    expect(await ask({ ':path': path, 'content-type': 'application/grpc+json' })).toMatchObject({ ':status': 415 });
    expect(await ask({ ':path': path, ':authority': 'bad:port', ...type })).toMatchObject({ ':status': 400 });
    const header = Buffer.from([0, 0xff, 0xff, 0xff, 0xff]);
    expect(await ask({ ':path': path, ...type }, header)).toMatchObject({ 'grpc-status': '8' });
    expect(await ask({ ':path': path, ...type }, Buffer.from([0, 0, 0, 0, 2, 0x0b, 0x0c]))).toMatchObject({
      'grpc-status': '3',
    });
    expect(await ask({ ':path': path, ...type }, Buffer.from([1, 0, 0, 0, 0]))).toMatchObject({ 'grpc-status': '13' });
    session.close();
    expect(await call('ServerLive', {}, 'nobody')).toEqual({ live: true });
  });

  it('ends a call whose body stops arriving, and no other', async () => {
    const impatient = await serveGrpc({ hub, port: 0, connections: { bodyIdleMilliseconds: 50 } });
    const session = connect(`http://${impatient.address}`);
    const path = '/inference.GRPCInferenceService/ModelInfer';
    const stream = session.request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc' });
    stream.on('error', () => {});
    stream.write(Buffer.from([0, 0, 0, 1, 0, 1]));
    await once(stream, 'close');
    expect(session.closed).toBe(false);
    session.close();
    await impatient.close(0);
  });

  it('closes: calls that run may end, until time is over', async () => {
    const own = await serveGrpc({ hub, port: 0 });
    const session = connect(`http://${own.address}`);
    session.on('error', () => {});
    const path = '/inference.GRPCInferenceService/ModelStreamInfer';
    const stream = session.request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc' });
    stream.on('error', () => {});
    await new Promise((resolve) => stream.write(Buffer.from([0]), resolve));
    await new Promise((resolve) => session.ping(resolve));
    const started = performance.now();
    await own.close(200);
    expect(performance.now() - started).toBeGreaterThan(150);
    await expect(own.close()).resolves.toBeUndefined();
  });

  it('does not listen publicly where nobody is asked who they are', async () => {
    await expect(serveGrpc({ hub, host: '0.0.0.0', port: 0 })).rejects.toMatchObject({ code: 'invalid-configuration' });
  });
});

const principal = { id: 'test', kind: 'key', roles: ['user'] } as const;

describe('gRPC-Web', () => {
  async function ask(name: string, message: Uint8Array, role?: string): Promise<{ status: number; text: string }> {
    const body = new Uint8Array(5 + message.length);
    new DataView(body.buffer).setUint32(1, message.length);
    body.set(message, 5);
    const headers = {
      'content-type': 'application/grpc-web+proto',
      ...(role && { authorization: `Bearer ${keys.get(role)}` }),
    };
    const response = await app.request(`/inference.GRPCInferenceService/${name}`, { method: 'POST', headers, body });
    return { status: response.status, text: await response.text() };
  }

  it('answers over the ordinary port, status in the body', async () => {
    const live = await ask('ServerLive', new Uint8Array());
    expect(live.status).toBe(200);
    expect(live.text).toContain('grpc-status: 0');
    // Field 1, a name.
    const ready = await ask('ModelReady', Uint8Array.of(0x0a, 4, ...Buffer.from('echo')), 'user');
    expect(ready.text).toContain('grpc-status: 0');
    const missing = await ask('ModelReady', Uint8Array.of(0x0a, 4, ...Buffer.from('none')), 'user');
    expect(missing.text).toContain('grpc-status: 5');
  });

  it('asks for keys and permissions as every endpoint does', async () => {
    expect((await ask('ModelInfer', new Uint8Array())).status).toBe(401);
    expect((await ask('RepositoryModelUnload', new Uint8Array(), 'user')).status).toBe(403);
  });
});
