import { createReferenceBackend, ModelwrightError } from '@modelwright/core';
import type { Hono } from 'hono';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AccessControl, Principal } from '../contract/access.js';
import type { ServerEvent } from '../contract/events.js';
import type { Hub } from '../contract/hub.js';
import type { RequestObserver } from '../contract/request-observer.js';
import type { RequestScope, Route } from '../contract/route.js';
import { createHub } from '../hub/create-hub.js';
import { scale } from '../hub/scale-models.cases.js';
import { memoryRepository } from '../repository/memory-repository.js';
import { createServedModel } from '../serving/create-served-model.js';
import { createApp } from './create-app.js';

const user: Principal = { id: 'user', kind: 'key', roles: [] };
let charged: string[] = [];

/** `Bearer user` may read and run `m`, and no more. */
const access: AccessControl = {
  isAuthenticating: true,
  authenticate: async (header) => {
    if (header('authorization') === 'Bearer user') return user;
    throw new ModelwrightError('unauthenticated', 'no key');
  },
  isAllowed: (_, action, model) => ['m', '*'].includes(model) && (action === 'read' || action === 'infer'),
  consume: async (_, model) => {
    charged.push(model);
    if (charged.length > 100) throw new ModelwrightError('rate-limited', 'too many', { retryAfterSeconds: 2.5 });
    return { 'x-ratelimit-remaining': '9' };
  },
};

let scope: RequestScope;
let release = (): void => {};
const seen: string[] = [];

/** A route whose handler shows its scope, or what a test asks for. */
function route(path: string, more: Partial<Route> = {}): Route {
  return {
    ...{ method: 'post', path, action: 'infer', summary: '', errors: 'open-inference' },
    handle: async (context, given) => {
      scope = given;
      return new Response(await context.req.arrayBuffer());
    },
    ...more,
  };
}

const routes: readonly Route[] = [
  route('/echo'),
  route('/models/:model/run'),
  route('/models/:model/load', { action: 'control' }),
  route('/openai', { errors: 'openai' }),
  route('/bug', {
    handle: () => {
      throw new TypeError('secret of /etc/passwd');
    },
  }),
  route('/slow', {
    handle: async (context) => {
      const body = await context.req.arrayBuffer();
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      return new Response(body);
    },
  }),
];

const observer: RequestObserver = {
  begin: ({ route: path, method }) => ({
    run: (handle) => handle(),
    end: ({ status, errorCode }) => seen.push(`${method} ${path} ${status} ${errorCode ?? ''}`.trim()),
  }),
};

let hub: Hub;
let app: Hono;
const events: ServerEvent[] = [];

beforeAll(async () => {
  const backend = createReferenceBackend();
  const repository = memoryRepository({ m: { versions: { 1: scale(1) } }, hidden: { versions: { 1: scale(2) } } });
  hub = await createHub(repository, { backend, createServedModel, access });
  hub.events.subscribe((event) => events.push(event));
  const limits = { maxBodyBytes: 1000, maxBodyBytesInAll: 1500, timeoutMilliseconds: 10_000 };
  app = createApp({ hub, access, routes, limits, observers: [observer] });
});

afterAll(() => hub.dispose());

function ask(path: string, init: RequestInit & { readonly duplex?: 'half' } = {}): Promise<Response> {
  const headers = { authorization: 'Bearer user', ...(init.headers as Record<string, string>) };
  return Promise.resolve(app.request(path, { method: 'POST', ...init, headers }));
}

/** A body whose length nobody says beforehand. */
function stream(chunks: number, chunkBytes: number): ReadableStream<Uint8Array> {
  let rest = chunks;
  return new ReadableStream({
    pull(controller) {
      if (rest-- > 0) controller.enqueue(new Uint8Array(chunkBytes));
      else controller.close();
    },
  });
}

describe('who asks', () => {
  it('has to say so before anything is read, except at probes', async () => {
    expect((await app.request('/livez')).status).toBe(200);
    expect(await (await app.request('/readyz')).text()).toBe('ok');
    const response = await ask('/echo', { body: 'x', headers: { authorization: 'Bearer stranger' } });
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toBe('Bearer');
    expect(events.at(-1)).toMatchObject({ kind: 'refused', action: 'authenticate', errorCode: 'unauthenticated' });
  });

  it('learns nothing of models that are hidden, and cannot do what is not allowed', async () => {
    expect((await ask('/models/hidden/run')).status).toBe(404);
    expect((await ask('/models/nothing/run')).status).toBe(404);
    expect((await ask('/models/m/load')).status).toBe(403);
    expect(events.at(-1)).toMatchObject({ kind: 'refused', action: 'control', model: 'm', principal: user });
  });

  it('pays for the model of the path once, and is held to the limit', async () => {
    charged = [];
    const response = await ask('/models/m/run', { body: 'x' });
    expect(response.headers.get('x-ratelimit-remaining')).toBe('9');
    await scope.hub.isReady('m');
    expect(charged).toEqual(['m']);
    charged = Array(100).fill('m');
    const refused = await ask('/models/m/run', { body: 'x' });
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '3']);
    charged = [];
  });
});

describe('a request', () => {
  it('keeps its name if that is harmless, and gets one otherwise', async () => {
    const named = await ask('/echo', { headers: { 'x-request-id': 'order-17' } });
    expect([named.headers.get('x-request-id'), scope.requestId]).toEqual(['order-17', 'order-17']);
    const odd = await ask('/echo', { headers: { 'x-request-id': 'a b"<' } });
    expect(odd.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('has a deadline: the client’s, but never later than the server’s', async () => {
    const within = async (header?: string): Promise<number> => {
      await ask('/echo', header === undefined ? {} : { headers: { 'x-request-timeout-ms': header } });
      return (scope.deadline ?? 0) - performance.now();
    };
    expect(await within()).toBeGreaterThan(9000);
    expect(await within('250')).toBeLessThanOrEqual(250);
    expect(await within('999999')).toBeLessThanOrEqual(10_000);
    for (const wrong of ['0', '-1', 'soon', '1e9', '']) {
      expect((await ask('/echo', { headers: { 'x-request-timeout-ms': wrong } })).status, wrong).toBe(400);
    }
  });

  it('may not have too long a body, whether its length is told or not', async () => {
    const told = (bytes: number): Promise<Response> =>
      ask('/echo', { body: new Uint8Array(bytes), headers: { 'content-length': String(bytes) } });
    expect((await told(1000)).status).toBe(200);
    expect((await told(1001)).status).toBe(413);
    const streamed = (chunks: number): Promise<Response> => ask('/echo', { body: stream(chunks, 100), duplex: 'half' });
    expect((await (await streamed(10)).arrayBuffer()).byteLength).toBe(1000);
    expect((await streamed(11)).status).toBe(413);
    expect((await ask('/echo', { headers: { 'content-length': '1e3' } })).status).toBe(400);
  });

  it('waits outside while others hold the memory for bodies', async () => {
    const body = (bytes: number): RequestInit => ({
      body: new Uint8Array(bytes),
      headers: { 'content-length': String(bytes) },
    });
    const holding = ask('/slow', body(900));
    await expect.poll(() => release.name).not.toBe('release');
    const refused = await ask('/echo', body(900));
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
    expect((await ask('/echo', body(500))).status).toBe(200);
    release();
    expect((await holding).status).toBe(200);
    expect((await ask('/echo', body(900))).status).toBe(200);
  });

  it('finds what is there, and is told what is not', async () => {
    expect((await ask('/nowhere')).status).toBe(404);
    const wrong = await app.request('/echo', { method: 'PUT' });
    expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'POST']);
  });
});

describe('errors', () => {
  it('look as the protocol’s clients expect', async () => {
    const message = expect.any(String);
    expect(await (await ask('/models/hidden/run')).json()).toEqual({ error: message });
    const openai = await ask('/openai', { headers: { authorization: '' } });
    expect(await openai.json()).toEqual({
      error: { message, type: expect.any(String), param: null, code: 'unauthenticated' },
    });
  });

  it('tell nothing of the inside', async () => {
    const response = await ask('/bug');
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain('secret');
  });
});

describe('observers', () => {
  it('see each request from its beginning to its end, by its pattern', async () => {
    seen.length = 0;
    await ask('/models/m/run');
    await ask('/models/hidden/run');
    expect(seen).toEqual(['POST /models/:model/run 200', 'POST /models/:model/run 404 model-not-found']);
  });
});
