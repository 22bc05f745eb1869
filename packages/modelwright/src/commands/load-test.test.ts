import { createReferenceBackend } from '@modelwright/core';
import { type RunningServer, serve } from '@modelwright/server/node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createWorkplace, type Workplace } from '../../test/command-line.js';

let place: Workplace;
let server: RunningServer;
beforeAll(async () => {
  place = await createWorkplace();
  server = await serve({ models: place.folder, backend: createReferenceBackend(), port: 0 });
});
afterAll(async () => {
  await server.close(0);
  place.dispose();
});

interface Summary {
  readonly answered: number;
  readonly failed: number;
  readonly requestsPerSecond: number;
  readonly examplesPerSecond: number;
  readonly latencyMilliseconds: Readonly<Record<string, number>>;
  readonly failures: Readonly<Record<string, number>>;
}

test('puts load on a server and says what it bore', async () => {
  const args = ['load-test', server.url, '--model', 'tiny', '--connections', '4', '--requests', '40', '--batch', '2'];
  const { exitCode, data } = await place.json<Summary>(args);
  expect(exitCode).toBe(0);
  expect(data).toMatchObject({ answered: 40, failed: 0, failures: {} });
  expect(data.examplesPerSecond).toBeCloseTo(2 * data.requestsPerSecond);
  const { p50, p99, max } = data.latencyMilliseconds as Record<'p50' | 'p99' | 'max', number>;
  expect(p50).toBeLessThanOrEqual(p99);
  expect(p99).toBeLessThanOrEqual(max);
  const { inferenceCount } = server.hub
    .viewOf({
      principal: { id: 'test', kind: 'anonymous', roles: [] },
      requestId: '1',
      protocol: 'test',
    })
    .statistics('tiny')[0] as { inferenceCount: number };
  expect(inferenceCount).toBe(80);
});

test('fails where a latency is not kept', async () => {
  const args = ['load-test', server.url, '--model', 'tiny', '--requests', '5', '--rate', '200', '--max-p99', '0.001'];
  const { exitCode, stdout } = await place.modelwright(args);
  expect(exitCode).toBe(1);
  expect(stdout).toContain('5 answers');
  expect(stdout).toContain('above 0.00100 ms');
});

test('a server or model that is not there is a wrong value', async () => {
  const missing = await place.json<{ error: { code: string } }>(['load-test', server.url, '--model', 'none']);
  expect([missing.exitCode, missing.data.error.code]).toEqual([2, 'invalid-argument']);
  const nobody = await place.json<{ error: { message: string } }>(['load-test', 'http://127.0.0.1:9', '--model', 'x']);
  expect(nobody.exitCode).toBe(2);
  expect(nobody.data.error.message).toContain('cannot be reached');
});
