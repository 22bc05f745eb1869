/** The matrix of access: who, by which endpoint, about which model; and what has to come of it. Written by hand, so that it is a second opinion. */
import { create, toBinary } from '@bufbuild/protobuf';
import { createReferenceBackend, fromNumbers, GraphBuilder, Model } from '@modelwright/core';
import { writeOnnx } from '@modelwright/onnx';
import type { AccessControl, Action } from '../contract/access.js';
import type { Hub } from '../contract/hub.js';
import {
  GRPCInferenceService,
  ModelInferRequest_InferInputTensorSchema,
} from '../generated/open-inference.generated.js';
import { createHub } from '../hub/create-hub.js';
import { memoryRepository } from '../repository/memory-repository.js';
import { createServedModel } from '../serving/create-served-model.js';
import { createAccessControl } from './access-control.js';
import { actions, type Permission } from './access-policy.js';
import { createApiKey } from './api-key.js';

/** `quokka` and `numbat` are served; there is no `wombat`. Names that stand nowhere else, so that they can be looked for in answers. */
export const models = ['quokka', 'numbat', 'wombat'] as const;
export type ModelName = (typeof models)[number];

/** Who asks: somebody with one permission on `quokka` or on everything, with all of them, with none, or with no good key. */
export interface Caller {
  readonly name: string;
  readonly key: string | undefined;
  readonly isKnown: boolean;
  /** On this model; `server` is the server as a whole. */
  may(action: Action, model: ModelName | 'server'): boolean;
}

/** What an endpoint asks for, and how it learns of the model: not at all, by its path, or by its body. */
export interface Endpoint {
  readonly action: Action | 'public';
  readonly model: 'none' | 'path' | 'body';
  readonly body?: (model: ModelName) => unknown;
  /** What comes where all is well; default 200. */
  readonly status?: number;
}

/** The answer as HTTP would say it. */
export function expectedStatus(
  caller: Caller,
  { action, model: where, status = 200 }: Endpoint,
  model: ModelName,
): number {
  if (action === 'public') return status;
  if (!caller.isKnown) return 401;
  const isOfEach = action === 'read' || action === 'infer';
  const mayAtAll = isOfEach ? models.some((each) => caller.may(action, each)) : caller.may(action, 'server');
  if (where === 'none') return mayAtAll ? status : 403;
  if (where === 'body' && !mayAtAll) return 403;
  if (caller.may(action, model)) return model === 'wombat' ? 404 : status;
  return actions.some((each) => caller.may(each, model)) ? 403 : 404;
}

/** Callers and the access control that knows them. */
export async function createCallers(): Promise<{
  readonly callers: readonly Caller[];
  readonly access: AccessControl;
}> {
  const roles: Record<string, readonly Permission[]> = { nothing: [], all: [{ models: ['*'], actions }] };
  for (const action of actions) {
    roles[`${action} quokka`] = [{ models: ['quo*', '!*n'], actions: [action] }];
    roles[`${action} everything`] = [{ models: ['*'], actions: [action] }];
  }
  const made = await Promise.all(
    [...Object.keys(roles), 'revoked', 'expired'].map(async (name) => {
      const { key, record } = await createApiKey({ name, roles: [roles[name] === undefined ? 'all' : name] });
      const past = new Date(0).toISOString();
      if (name === 'revoked') return { name, key, record: { ...record, revokedAt: past } };
      return { name, key, record: name === 'expired' ? { ...record, expiresAt: past } : record };
    }),
  );
  const known = made.map(({ name, key }): Caller => {
    const [what, whose] = name.split(' ');
    return {
      name,
      key,
      isKnown: roles[name] !== undefined,
      may: (action, model) => name === 'all' || (what === action && (whose === 'everything' || model === whose)),
    };
  });
  const strangers = [undefined, `mw_${'0'.repeat(12)}_${'A'.repeat(43)}`, 'a.b.c'].map(
    (key): Caller => ({ name: `stranger ${key}`, key, isKnown: false, may: () => false }),
  );
  const keys = made.map(({ record }) => record);
  return { callers: [...known, ...strangers], access: createAccessControl({ keys, policy: { roles } }) };
}

/** A hub with `quokka` and `numbat`: `y = relu(x)`, `x` of `[batch, 2]`. */
export async function createMatrixHub(access: AccessControl): Promise<Hub> {
  const builder = new GraphBuilder('relu');
  const x = builder.input('x', 'float32', ['batch', 2]);
  const zero = builder.constant(fromNumbers('float32', [1], [0]), { name: 'zero' });
  builder.output('y', builder.op('Max', [x, zero]));
  const { bytes } = writeOnnx(new Model({ name: 'relu', graph: builder.build(), parameters: [] }));
  const repository = memoryRepository({ quokka: { versions: { 1: bytes } }, numbat: { versions: { 1: bytes } } });
  return createHub(repository, { backend: createReferenceBackend(), createServedModel, access });
}

const tensors = { inputs: [{ name: 'x', shape: [1, 2], datatype: 'FP32', data: [1, -1] }] };
/** Good, but for a model that takes tensors only. */
const examples = { examples: ['a'] };
const instances = { instances: [[1, -1]] };

/** Every endpoint over HTTP but gRPC-Web's, by method and path as they are mounted. */
export const httpEndpoints: Readonly<Record<string, Endpoint>> = {
  'get /livez': { action: 'public', model: 'none' },
  'get /readyz': { action: 'public', model: 'none' },
  'get /startupz': { action: 'public', model: 'none' },
  'get /': { action: 'public', model: 'none' },
  'get /page.js': { action: 'public', model: 'none' },
  'get /page.css': { action: 'public', model: 'none' },
  'get /openapi.json': { action: 'public', model: 'none' },
  'get /metrics': { action: 'observe', model: 'none' },
  'get /v2': { action: 'read', model: 'none' },
  'get /v2/': { action: 'read', model: 'none' },
  'get /v2/health/live': { action: 'public', model: 'none' },
  'get /v2/health/ready': { action: 'public', model: 'none' },
  'get /v2/models/stats': { action: 'observe', model: 'none' },
  'get /v2/models/:model': { action: 'read', model: 'path' },
  'get /v2/models/:model/ready': { action: 'read', model: 'path' },
  'get /v2/models/:model/config': { action: 'read', model: 'path' },
  'get /v2/models/:model/stats': { action: 'observe', model: 'path' },
  'get /v2/models/:model/versions/:version': { action: 'read', model: 'path' },
  'get /v2/models/:model/versions/:version/ready': { action: 'read', model: 'path' },
  'get /v2/models/:model/versions/:version/config': { action: 'read', model: 'path' },
  'get /v2/models/:model/versions/:version/stats': { action: 'observe', model: 'path' },
  'get /v2/models/:model/drift': { action: 'observe', model: 'path' },
  'get /v2/models/:model/versions/:version/drift': { action: 'observe', model: 'path' },
  'delete /v2/models/:model/drift': { action: 'control', model: 'path' },
  'delete /v2/models/:model/versions/:version/drift': { action: 'control', model: 'path' },
  'post /v2/models/:model/infer': { action: 'infer', model: 'path', body: () => tensors },
  'post /v2/models/:model/versions/:version/infer': { action: 'infer', model: 'path', body: () => tensors },
  'post /v2/models/:model/predict': { action: 'infer', model: 'path', body: () => examples, status: 400 },
  'post /v2/models/:model/versions/:version/predict': {
    action: 'infer',
    model: 'path',
    body: () => examples,
    status: 400,
  },
  'post /v2/repository/index': { action: 'read', model: 'none', body: () => ({}) },
  'post /v2/repository/models/:model/load': { action: 'control', model: 'path', body: () => ({}) },
  'post /v2/repository/models/:model/unload': { action: 'control', model: 'path', body: () => ({}) },
  'get /v1/models': { action: 'read', model: 'none' },
  'get /v1/models/:model': { action: 'read', model: 'path' },
  'post /v1/completions': {
    action: 'infer',
    model: 'body',
    body: (model) => ({ model, prompt: 'a' }),
    status: 400,
  },
  'post /v1/chat/completions': {
    action: 'infer',
    model: 'body',
    body: (model) => ({ model, messages: [{ role: 'user', content: 'a' }] }),
    status: 400,
  },
  'post /v1/embeddings': { action: 'infer', model: 'body', body: (model) => ({ model, input: 'a' }), status: 400 },
  'post /v1/models/:call{[^/]+:predict}': { action: 'infer', model: 'body', body: () => instances },
  'post /v1/models/:model/versions/:version{[^/]+:predict}': { action: 'infer', model: 'path', body: () => instances },
  'get /v1/models/:model/metadata': { action: 'read', model: 'path' },
  'get /v1/models/:model/versions/:version': { action: 'read', model: 'path' },
  'get /v1/models/:model/versions/:version/metadata': { action: 'read', model: 'path' },
};

const named = (model: ModelName): object => ({ name: model });
const modelNamed = (modelName: ModelName): object => ({ modelName });
const inference = (modelName: ModelName): object => ({
  modelName,
  inputs: [create(ModelInferRequest_InferInputTensorSchema, { name: 'x', datatype: 'FP32', shape: [1n, 2n] })],
  rawInputContents: [new Uint8Array(Float32Array.of(1, -1).buffer)],
});

/** Every call of gRPC, with the fields of its request. */
export const rpcEndpoints: Readonly<Record<string, Endpoint>> = {
  ServerLive: { action: 'public', model: 'none', body: () => ({}) },
  ServerReady: { action: 'public', model: 'none', body: () => ({}) },
  ServerMetadata: { action: 'read', model: 'none', body: () => ({}) },
  ModelReady: { action: 'read', model: 'body', body: named },
  ModelMetadata: { action: 'read', model: 'body', body: named },
  ModelConfig: { action: 'read', model: 'body', body: named },
  ModelInfer: { action: 'infer', model: 'body', body: inference },
  ModelStreamInfer: { action: 'infer', model: 'body', body: inference },
  ModelStatistics: { action: 'observe', model: 'body', body: named },
  RepositoryIndex: { action: 'read', model: 'none', body: () => ({}) },
  RepositoryModelLoad: { action: 'control', model: 'body', body: modelNamed },
  RepositoryModelUnload: { action: 'control', model: 'body', body: modelNamed },
};

/** The bytes of a call's request. */
export function rpcMessage(call: string, model: ModelName): Uint8Array {
  const method = GRPCInferenceService.methods.find(({ name }) => name === call);
  if (method === undefined) throw new TypeError(`there is no call ${call}`);
  return toBinary(method.input, create(method.input, rpcEndpoints[call]?.body?.(model) as never));
}

/** A status of gRPC as HTTP would say it. */
export function httpStatusOf(grpcStatus: number): number {
  return { 0: 200, 3: 400, 5: 404, 7: 403, 16: 401 }[grpcStatus] ?? 500;
}
