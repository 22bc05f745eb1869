import { ModelwrightError } from '@modelwright/core';
import { describe, expect, it } from 'vitest';
import { statusOf, statusTable } from './status-of.js';

describe('statusOf', () => {
  it('tells what the caller did wrong, with the input it is about', () => {
    const error = new ModelwrightError('shape-mismatch', "input 'image' is [2]", { input: 'image' });
    expect(statusOf(error)).toMatchObject({
      status: { http: 400, grpc: 3 },
      code: 'shape-mismatch',
      message: error.message,
    });
    expect(statusOf(error).input).toBe('image');
  });

  it('hides what unexpected errors and failures inside say', () => {
    const secret = '/etc/keys.json';
    const thrown = [new Error(secret), secret, null, new ModelwrightError('file-unreadable', secret)];
    for (const error of [...thrown, new ModelwrightError('backend-failure', secret)]) {
      const told = statusOf(error);
      expect(told.status.http).toBe(500);
      expect(JSON.stringify(told)).not.toContain(secret);
    }
  });

  it('says in whole seconds when to try again', () => {
    const error = new ModelwrightError('rate-limited', 'too many', { retryAfterSeconds: 0.2 });
    expect(statusOf(error).retryAfterSeconds).toBe(1);
    expect(statusOf(new ModelwrightError('queue-full', 'full')).retryAfterSeconds).toBe(1);
    expect(statusOf(new ModelwrightError('invalid-argument', 'no')).retryAfterSeconds).toBeUndefined();
  });

  it('takes a client that went away for a cancelled request', () => {
    expect(statusOf(new DOMException('gone', 'AbortError')).code).toBe('aborted');
  });

  it('has no server error but the three that are documented', () => {
    const serverErrors = new Set(
      Object.values(statusTable)
        .map(({ http }) => http)
        .filter((http) => http >= 500),
    );
    expect([...serverErrors].sort()).toEqual([500, 503, 504]);
  });
});
