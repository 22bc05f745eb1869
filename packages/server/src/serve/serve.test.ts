import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { createReferenceBackend, isModelwrightError, ModelwrightError } from '@modelwright/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AccessControl, Peer } from '../contract/access.js';
import type { Route } from '../contract/route.js';
import { scale } from '../hub/scale-models.cases.js';
import { memoryRepository } from '../repository/memory-repository.js';
import { type RunningServer, serve } from './serve.js';
import type { ServeOptions } from './serve-options.js';
import { createTestCertificate, type TestCertificate } from './test-certificate.cases.js';

const backend = createReferenceBackend();
let folder: string;
let server: RunningServer;

/** Answers when it is let, and knows why it was not to answer. */
const gate: { open: () => void; end?: string } = { open: () => {} };
const slow: Route = {
  ...{ method: 'get', path: '/slow', action: 'public', summary: '', errors: 'open-inference' },
  handle: async (_, { signal }) => {
    await new Promise<void>((resolve, reject) => {
      gate.open = resolve;
      signal.addEventListener('abort', () => {
        gate.end = (signal.reason as Error).message;
        reject(signal.reason);
      });
    });
    return new Response('at last');
  },
};

function start(options: Partial<ServeOptions> = {}): Promise<RunningServer> {
  const models = memoryRepository({ m: { versions: { 1: scale(2) } } });
  return serve({ models, backend, port: 0, observability: false, ...options });
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'serve-'));
  const connections = { headMilliseconds: 300, bodyMilliseconds: 400, idleMilliseconds: 250 };
  server = await start({ connections, allowedOrigins: ['https://shop.example'], limits: { maxBodyBytes: 2 ** 20 } });
});

afterAll(async () => {
  await server.close(0);
  await rm(folder, { recursive: true });
});

const question = JSON.stringify({ inputs: [{ name: 'x', shape: [1, 2], datatype: 'FP32', data: [1, 2] }] });

describe('an address', () => {
  it('is this machine only as long as nobody is asked who they are', async () => {
    for (const host of ['0.0.0.0', '::', '192.0.2.1', 'models.example']) {
      const error = await start({ host }).catch((thrown: unknown) => thrown);
      expect(isModelwrightError(error, 'invalid-configuration'), host).toBe(true);
      expect((error as ModelwrightError).details.hint).toContain('keys create');
    }
    for (const host of ['localhost', '127.0.0.2', '::1']) {
      const local = await start({ host });
      expect((await fetch(`${local.url}/livez`)).status, host).toBe(200);
      await local.close(0);
    }
  });

  it('that is taken is refused in words, and nothing stays open', async () => {
    const error = await start({ port: server.port }).catch((thrown: unknown) => thrown);
    expect((error as Error).message).toBe(`cannot listen on 127.0.0.1:${server.port}: the port is taken`);
  });
});

describe('pages of browsers', () => {
  const ask = (headers: Readonly<Record<string, string>>, method = 'POST'): Promise<Response> =>
    fetch(`${server.url}/v2/models/m/infer`, { method, headers, ...(method === 'POST' ? { body: question } : {}) });

  it('may ask if they are the server’s own, or allowed', async () => {
    expect((await ask({ origin: server.url })).status).toBe(200);
    const shared = await ask({ origin: 'https://shop.example' });
    expect([shared.status, shared.headers.get('access-control-allow-origin')]).toEqual([200, 'https://shop.example']);
    const preflight = await ask({ origin: 'https://shop.example', 'access-control-request-method': 'POST' }, 'OPTIONS');
    expect([preflight.status, preflight.headers.get('access-control-allow-methods')]).toEqual([
      204,
      'GET, POST, DELETE',
    ]);
  });

  it('of strangers may not, nor under a name that they gave to this machine', async () => {
    for (const origin of ['https://evil.example', 'null', `http://127.0.0.1:1`]) {
      const refused = await ask({ origin });
      expect([refused.status, refused.headers.get('access-control-allow-origin')], origin).toEqual([403, null]);
    }
    const renamed = await raw(`GET /v2/models/m HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n`);
    expect(renamed).toMatch(/^HTTP\/1\.1 403/);
  });
});

/** Sends text as it is, and gives what came back until the server hung up. */
function raw(text: string, then?: (socket: Socket) => void): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(server.port, '127.0.0.1', () => {
      socket.write(text);
      then?.(socket);
    });
    let answer = '';
    socket.on('data', (data) => {
      answer += data.toString();
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(answer));
  });
}

describe('a bad client', () => {
  const head = 'POST /v2/models/m/infer HTTP/1.1\r\nhost: localhost\r\n';

  it('that does not finish its head, or its body, or says nothing, is cut off', async () => {
    const started = performance.now();
    const [half, unfinished, silent, idle] = await Promise.all([
      raw(`${head}content-`),
      raw(`${head}content-length: 100\r\n\r\n{"inputs"`),
      raw(''),
      raw('GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n'),
    ]);
    expect(performance.now() - started).toBeLessThan(5000);
    expect([half, unfinished]).toEqual([expect.stringContaining(' 408 '), expect.stringContaining(' 408 ')]);
    expect([silent, idle]).toEqual([expect.not.stringContaining(' 200 '), expect.stringContaining(' 200 ')]);
  });

  it('that announces or sends a gigabyte is told off at once', async () => {
    const announced = await raw(`${head}content-length: 1000000000\r\n\r\n`);
    expect(announced).toMatch(/^HTTP\/1\.1 413/);
    let sentBytes = 0;
    const chunk = Buffer.alloc(65_536);
    const sent = await raw(`${head}transfer-encoding: chunked\r\n\r\n`, (socket) => {
      const push = (): void => {
        while (sentBytes < 1e9 && !socket.destroyed) {
          sentBytes += chunk.length;
          if (!socket.write(`${chunk.length.toString(16)}\r\n${chunk.toString('latin1')}\r\n`, 'latin1')) break;
        }
      };
      socket.on('drain', push);
      push();
    });
    expect(sent).toMatch(/^HTTP\/1\.1 413/);
    expect(sentBytes).toBeLessThan(1e8);
    // And the others are served.
    expect((await fetch(`${server.url}/v2/models/m/infer`, { method: 'POST', body: question })).status).toBe(200);
  });
});

describe('a client that goes away', () => {
  it('ends what was begun for it', async () => {
    const left = await start({ routes: [slow] });
    const controller = new AbortController();
    const before = gate.open;
    const running = fetch(`${left.url}/slow`, { signal: controller.signal }).catch(() => 'gone');
    await expect.poll(() => gate.open === before).toBe(false);
    controller.abort();
    expect(await running).toBe('gone');
    await expect.poll(() => gate.end).toBe('the client went away');
    await left.close(0);
  });
});

describe('the end', () => {
  it('lets a request that runs answer, takes no other, and says so beforehand', async () => {
    const stopping = await start({ routes: [slow], retireMilliseconds: 60 });
    const before = gate.open;
    const running = fetch(`${stopping.url}/slow`);
    await expect.poll(() => gate.open === before).toBe(false);
    const closed = stopping.close(5000);
    expect((await fetch(`${stopping.url}/readyz`)).status).toBe(503);
    await expect
      .poll(() =>
        fetch(`${stopping.url}/livez`).then(
          () => 'open',
          () => 'closed',
        ),
      )
      .toBe('closed');
    gate.open();
    const answer = await running;
    expect(await answer.text()).toBe('at last');
    await closed;
  });

  it('tells a request that does not end in time', async () => {
    const stopping = await start({ routes: [slow] });
    const before = gate.open;
    const running = fetch(`${stopping.url}/slow`);
    await expect.poll(() => gate.open === before).toBe(false);
    await stopping.close(50);
    const answer = await running;
    expect([answer.status, await answer.json()]).toEqual([499, { error: 'the server stops' }]);
  });
});

describe('TLS', () => {
  const authority = createTestCertificate('authority');
  let secured: RunningServer;
  let peer: Peer | undefined;
  const access: AccessControl = {
    isAuthenticating: true,
    authenticate: async (_, given) => {
      peer = given;
      if (given?.certificate === undefined) throw new ModelwrightError('unauthenticated', 'no certificate');
      return { id: given.certificate.subject, kind: 'certificate', roles: [] };
    },
    isAllowed: () => true,
    consume: async () => ({}),
  };

  async function writeCertificate(of: TestCertificate): Promise<void> {
    await writeFile(join(folder, 'server.key'), of.key);
    await writeFile(join(folder, 'server.pem'), of.certificate);
  }

  beforeAll(async () => {
    await writeCertificate(createTestCertificate('first', authority));
    await writeFile(join(folder, 'authority.pem'), authority.certificate);
    secured = await start({
      access,
      host: '127.0.0.1',
      tls: {
        certificate: join(folder, 'server.pem'),
        key: join(folder, 'server.key'),
        clientAuthorities: join(folder, 'authority.pem'),
        pollMilliseconds: 20,
      },
    });
  });

  afterAll(() => secured.close(0));

  /** Status, and the name on the server's certificate. */
  function ask(client?: TestCertificate): Promise<{ readonly status: number; readonly name: string }> {
    return new Promise((resolve, reject) => {
      const credentials = client && { cert: client.certificate, key: client.key };
      const sent = request(
        `${secured.url}/v2`,
        { ca: authority.certificate, agent: false, ...credentials },
        (answer) => {
          const { CN } = (answer.socket as TLSSocket).getPeerCertificate().subject;
          answer.resume().on('end', () => resolve({ status: answer.statusCode ?? 0, name: String(CN) }));
        },
      );
      sent.on('error', reject).end();
    });
  }

  it('tells who shows a certificate of a trusted authority, and believes no other', async () => {
    expect(await ask()).toEqual({ status: 401, name: 'first' });
    expect((await ask(createTestCertificate('reporting', authority))).status).toBe(200);
    expect(peer?.certificate?.subject).toBe('CN=reporting');
    expect((await ask(createTestCertificate('reporting'))).status).toBe(401);
    expect(peer).toBeUndefined();
  });

  it('takes a renewed certificate over while it runs, and keeps the old one when the new one is broken', async () => {
    await writeFile(join(folder, 'server.pem'), 'half a certificate');
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect((await ask()).name).toBe('first');
    await writeCertificate(createTestCertificate('renewed', authority));
    await expect.poll(async () => (await ask()).name, { interval: 30 }).toBe('renewed');
  });
});
