/** Access control and audit log of a server as it runs. */
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createReferenceBackend } from '@modelwright/core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { verifyAuditLog } from '../audit/verify-audit-log.js';
import { serviceModels } from '../open-inference/service.cases.js';
import { type RunningServer, serve } from '../serve/serve.js';
import { addKeyToFile, revokeKeyInFile } from './keys-file.js';
import { readPolicy } from './read-policy.js';

let folder: string;
let server: RunningServer;
let key: string;
let id: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'modelwright-secured-'));
  const [keys, policy] = [join(folder, 'keys.json'), join(folder, 'policy.json')];
  const made = await addKeyToFile(keys, { name: 'test', roles: ['user'] });
  key = made.key;
  id = made.record.id;
  await writeFile(policy, JSON.stringify({ limits: [{ models: ['linear'], rate: { requests: 2, perSeconds: 60 } }] }));
  server = await serve({
    models: serviceModels(),
    backend: createReferenceBackend(),
    port: 0,
    access: { keys, policy },
    audit: { folder: join(folder, 'audit') },
  });
});
afterAll(async () => {
  await server.close(0);
  await rm(folder, { recursive: true });
});

function infer(
  data: readonly number[],
  headers: Readonly<Record<string, string>> = { 'x-api-key': key },
): Promise<Response> {
  return fetch(`${server.url}/v2/models/linear/infer`, {
    method: 'POST',
    headers,
    body: JSON.stringify({ inputs: [{ name: 'x', shape: [1, 2], datatype: 'FP32', data }] }),
  });
}

test('a server asks for keys, holds to limits, follows revocations, and writes all of it down', async () => {
  const stranger = await infer([1, 2], {});
  expect([stranger.status, stranger.headers.get('www-authenticate')]).toEqual([401, 'Bearer']);
  const good = await infer([1, 2]);
  expect([good.status, good.headers.get('x-ratelimit-remaining')]).toEqual([200, '1']);
  await infer([3, 4]);
  const limited = await infer([5, 6]);
  expect(limited.status).toBe(429);
  expect(Number(limited.headers.get('retry-after'))).toBeGreaterThan(25);
  await revokeKeyInFile(join(folder, 'keys.json'), id);
  await expect.poll(async () => (await infer([1, 2])).status, { timeout: 3000, interval: 100 }).toBe(401);
  await server.close();

  const report = await verifyAuditLog(join(folder, 'audit'));
  expect(report.problems).toEqual([]);
  const text = await readFile(join(folder, 'audit', 'audit-000000000001.jsonl'), 'utf8');
  const lines = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  const kinds = lines.map(({ kind, errorCode, outcome }) => [kind, outcome ?? errorCode ?? ''].join(' '));
  expect(kinds).toEqual(
    expect.arrayContaining(['inference success', 'refused unauthenticated', 'refused rate-limited']),
  );
  const [{ sha256 }] = lines.filter(({ kind, state }) => kind === 'model-state' && state === 'READY');
  expect(sha256).toMatch(/^[0-9a-f]{64}$/);
  expect(lines.find(({ kind }) => kind === 'inference')).toMatchObject({
    principal: { id: `key:${id}`, kind: 'key', roles: ['user'] },
    model: 'linear',
    version: '1',
    requestId: good.headers.get('x-request-id'),
    inputs: {
      x: {
        sha256: createHash('sha256')
          .update(Buffer.from(Float32Array.of(1, 2).buffer))
          .digest('hex'),
      },
    },
  });
  expect(text).not.toContain(key.slice(16));
});

test('the policy of the README is one', async () => {
  const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8');
  const [, source = ''] = /```json policy\.json\n([\s\S]*?)```/.exec(readme) ?? [];
  expect(Object.keys(readPolicy(source).roles ?? {})).toContain('analyst');
});
