import type { Hono } from 'hono';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createApp } from '../app/create-app.js';
import type { AccessControl } from '../contract/access.js';
import type { Hub } from '../contract/hub.js';
import type { Route } from '../contract/route.js';
import { GRPCInferenceService } from '../generated/open-inference.generated.js';
import { createObservability } from '../observability/observability.js';
import { protocolRoutes } from '../serve/protocol-routes.js';
import {
  type Caller,
  createCallers,
  createMatrixHub,
  type Endpoint,
  expectedStatus,
  httpEndpoints,
  httpStatusOf,
  type ModelName,
  models,
  rpcEndpoints,
  rpcMessage,
} from './matrix.cases.js';

const service = `/${GRPCInferenceService.typeName}/`;
const health = 'post /grpc.health.v1.Health/Check';
/** Of gRPC-Web, the calls that are unary. */
const endpoints: Readonly<Record<string, Endpoint>> = {
  ...httpEndpoints,
  [health]: { action: 'public', model: 'none' },
  ...Object.fromEntries(
    Object.entries(rpcEndpoints)
      .filter(([name]) => name !== 'ModelStreamInfer')
      .map(([name, endpoint]) => [`post ${service}${name}`, endpoint]),
  ),
};

const observability = createObservability();
const routes: readonly Route[] = protocolRoutes(observability.routes);
let callers: readonly Caller[];
let access: AccessControl;
let hub: Hub;
let app: Hono;

beforeAll(async () => {
  ({ callers, access } = await createCallers());
  hub = await createMatrixHub(access);
  hub.events.subscribe(observability.listener);
  app = createApp({ hub, routes, access, observers: observability.observers });
});
afterAll(() => hub.dispose());

interface Answer {
  readonly status: number;
  readonly text: string;
}

async function ask(key: string, caller: Caller, model: ModelName): Promise<Answer> {
  const [method = '', pattern = ''] = key.split(' ');
  const path = pattern
    .replace(/:version\{[^}]*\}/, '1:predict')
    .replace(/:call\{[^}]*\}/, `${model}:predict`)
    .replace(':model', model)
    .replace(':version', '1');
  const isRpc = path.startsWith(service) || key === health;
  const message = path.startsWith(service) ? rpcMessage(path.slice(service.length), model) : new Uint8Array();
  const response = await app.request(path, {
    method: method.toUpperCase(),
    headers: {
      'content-type': isRpc ? 'application/grpc-web+proto' : 'application/json',
      ...(caller.key === undefined ? {} : { authorization: `Bearer ${caller.key}` }),
    },
    ...(method === 'post' ? { body: isRpc ? frame(message) : JSON.stringify(endpoints[key]?.body?.(model)) } : {}),
  });
  const text = await response.text();
  // What was unloaded is wanted again by the next.
  if (key.toLowerCase().endsWith('unload') && model !== 'wombat') await reload(model);
  return { status: isRpc && response.ok ? grpcStatus(response, text) : response.status, text };
}

async function reload(model: ModelName): Promise<void> {
  const principal = { id: 'test', kind: 'key', roles: ['all'] } as const;
  await hub.viewOf({ principal, requestId: 'test', protocol: 'test' }).load(model);
}

function frame(message: Uint8Array): Uint8Array<ArrayBuffer> {
  const framed = new Uint8Array(5 + message.length);
  new DataView(framed.buffer).setUint32(1, message.length);
  framed.set(message, 5);
  return framed;
}

/** gRPC-Web has the status in a header, or in trailers at the end of the body. */
function grpcStatus({ headers }: Response, text: string): number {
  return httpStatusOf(Number(headers.get('grpc-status') ?? /grpc-status: ?(\d+)/i.exec(text)?.[1]));
}

test('the matrix names every endpoint that is mounted, and no other', () => {
  const mounted = app.routes.filter(({ method }) => method !== 'ALL');
  expect(mounted.map(({ method, path }) => `${method.toLowerCase()} ${path}`).sort()).toEqual(
    Object.keys(endpoints).sort(),
  );
});

describe.each(Object.entries(endpoints))('%s', (key, endpoint) => {
  test('answers those who may, and nobody else', async () => {
    const [expected, given]: Record<string, number>[] = [{}, {}];
    for (const caller of callers)
      for (const model of models) {
        const cell = `${caller.name} · ${model}`;
        expected![cell] = expectedStatus(caller, endpoint, model);
        given![cell] = (await ask(key, caller, model)).status;
      }
    expect(given).toEqual(expected);
  });

  test('tells of no model that is not the caller’s to know of', async () => {
    for (const caller of callers) {
      const seesNumbat = (['infer', 'read', 'control', 'observe'] as const).some((each) => caller.may(each, 'numbat'));
      if (seesNumbat) continue;
      const [hidden, absent] = [await ask(key, caller, 'numbat'), await ask(key, caller, 'wombat')];
      const plain = (answer: Answer): Answer => ({ ...answer, text: answer.text.replace(/numbat|wombat/g, 'it') });
      expect(plain(hidden), caller.name).toEqual(plain(absent));
      expect((await ask(key, caller, 'quokka')).text, caller.name).not.toContain('numbat');
    }
  });
});

test('lists hold what the caller may read', async () => {
  for (const [key, sees] of [
    ['post /v2/repository/index', 'read'],
    ['get /v2/models/stats', 'observe'],
    [`post ${service}RepositoryIndex`, 'read'],
  ] as const)
    for (const caller of callers.filter(({ isKnown }) => isKnown)) {
      const { status, text } = await ask(key, caller, 'quokka');
      for (const model of ['quokka', 'numbat'] as const)
        expect(text.includes(model), `${key} ${caller.name} ${model}`).toBe(status === 200 && caller.may(sees, model));
    }
});

test.each([
  '/v2/models/quokka/',
  '//v2/models/quokka',
  '/v2//models/quokka',
  '/V2/models/quokka',
  '/v2/%6dodels/quokka',
  '/v2/models/%71uokka',
  '/v2/models/quokka%2fready',
  '/v2/models/x/../quokka',
  '/v2/models/quokka;a=b',
  '/v2/models/quokka?key=a',
  '/v2/models/quokka#a',
  '/livez/../v2/models/quokka',
  '/page.js/../v2/models/quokka',
  '/v2/models/*',
  '/v2/models/*/config',
])('without a key %s says nothing', async (path) => {
  for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
    const headers = { 'x-http-method-override': 'GET', 'x-original-url': '/livez', 'x-forwarded-for': '127.0.0.1' };
    const response = await app.request(path, { method, headers });
    expect([401, 404, 405], `${method} ${path}`).toContain(response.status);
  }
});
