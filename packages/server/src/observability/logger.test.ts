import { ModelwrightError } from '@modelwright/core';
import { describe, expect, it } from 'vitest';
import { createApiKey } from '../access/api-key.js';
import type { ServerEvent } from '../contract/events.js';
import { logEvents } from './log-events.js';
import { createLogger } from './logger.js';

function logged(work: (logger: ReturnType<typeof createLogger>) => void, level: 'info' | 'debug' = 'info') {
  const lines: string[] = [];
  work(createLogger({ level, destination: { write: (line) => void lines.push(line) } }));
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('the logger', () => {
  it('writes lines of JSON with a level and a time', () => {
    const [line] = logged((logger) => logger.child({ requestId: 'r1' }).info({ model: 'digits' }, 'loaded'));
    expect(line).toMatchObject({ level: 'info', requestId: 'r1', model: 'digits', msg: 'loaded' });
    expect(Date.parse(line?.['time'] as string)).not.toBeNaN();
  });

  it('lets no credential through, wherever it stands', async () => {
    const { key } = await createApiKey({ name: 'k', roles: [] });
    const token = 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl';
    const secret = key.split('_').slice(2).join('_');
    const pem = '-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA\n-----END PRIVATE KEY-----';
    const lines = logged((logger) => {
      logger.info({ headers: { authorization: `Basic dXNlcjpwYXNz`, 'x-api-key': key } }, 'a');
      logger.info({ request: { headers: { cookie: 'session=abc' } } }, 'b');
      logger.info(`sent ${key} and Bearer ${token} in words`);
      logger.info({ url: `/v2?key=${key}`, list: [token, pem] }, 'c');
      logger.error({ err: new Error(`bad key ${key}`, { cause: new Error(token) }) }, 'd');
      logger.error({ err: new ModelwrightError('unauthenticated', 'no', { given: key, cause: pem }) }, 'e');
    });
    const text = JSON.stringify(lines);
    expect(lines).toHaveLength(6);
    for (const part of [secret, 'dXNlcjpwYXNz', 'session=abc', token, 'c2lnbmF0dXJl', 'MC4CAQAwBQYDK2VwBCIEIA']) {
      expect(text).not.toContain(part);
    }
    // Whose key it was is no secret.
    expect(text).toContain(key.split('_')[1]);
  });
});

describe('events', () => {
  const principal = { id: 'key:1', kind: 'key', roles: ['user'] } as const;
  const request = { requestId: 'r', protocol: 'grpc', principal, model: 'digits', version: '1' };
  const inference = { kind: 'inference', ...request, sha256: 'a', count: 2, totalNanoseconds: 1_500_000 } as const;
  const state = { kind: 'model-state', model: 'digits', version: '1', reason: '' } as const;
  const cases: readonly [level: string | undefined, ...events: ServerEvent[]][] = [
    [undefined, { ...inference, outcome: 'success' }],
    ['warn', { ...inference, outcome: 'failure', errorCode: 'queue-full' }],
    ['error', { ...inference, outcome: 'failure', errorCode: 'backend-failure' }],
    [
      'warn',
      {
        kind: 'refused',
        requestId: 'r',
        protocol: 'grpc',
        action: 'infer',
        model: 'm',
        errorCode: 'permission-denied',
      },
    ],
    ['info', { ...state, state: 'READY' }],
    ['warn', { ...state, state: 'READY', reason: 'still serves the files before: it is no model' }],
    ['warn', { ...state, state: 'LOADING' }, { ...state, state: 'UNAVAILABLE', reason: 'it is no model' }],
    ['info', { ...state, state: 'UNLOADING' }, { ...state, state: 'UNAVAILABLE', reason: 'unloaded' }],
  ];

  it.each(cases)('are told at level %s', (level, ...events) => {
    const lines = logged((logger) => events.forEach(logEvents(logger)));
    expect(lines.at(-1)?.['level']).toBe(level);
  });

  it('hold who, what and how long, and no inputs', () => {
    const [line] = logged((logger) => logEvents(logger)({ ...inference, outcome: 'success', inputs: {} }), 'debug');
    expect(line).toMatchObject({
      event: 'inference',
      principal: 'key:1',
      model: 'digits',
      count: 2,
      milliseconds: 1.5,
    });
    expect(line).not.toHaveProperty('inputs');
  });
});
