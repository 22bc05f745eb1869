import { isModelwrightError } from '@modelwright/core';
import { describe, expect, test } from 'vitest';
import type { Principal } from '../contract/access.js';
import { createAccessControl } from './access-control.js';
import type { Limit } from './access-policy.js';
import { MemoryLimitStore } from './limit-store.js';

const alice: Principal = { id: 'key:a', kind: 'key', roles: ['user'] };
const bob: Principal = { id: 'key:b', kind: 'key', roles: ['admin'] };

function limited(...limits: readonly Limit[]) {
  const clock = { now: Date.UTC(2030, 0, 31, 23, 30) };
  const store = new MemoryLimitStore();
  const open = () => createAccessControl({ policy: { limits }, limits: store, now: () => clock.now });
  let access = open();
  const ask = async (principal: Principal, model = 'm', tokens?: number, requests = 1): Promise<number | undefined> => {
    try {
      await access.consume(principal, model, { requests, ...(tokens === undefined ? {} : { tokens }) });
      return undefined;
    } catch (error) {
      if (!isModelwrightError(error, 'rate-limited')) throw error;
      return error.details.retryAfterSeconds;
    }
  };
  return {
    clock,
    ask,
    use: (principal: Principal, tokens: number) => ask(principal, 'm', tokens, 0),
    headers: (principal: Principal) => access.consume(principal, 'm', { requests: 1 }),
    reopen: () => {
      access = open();
    },
  };
}

describe('a rate', () => {
  test('lets pass what it says at once, then one by one', async () => {
    const { ask, clock } = limited({ rate: { requests: 3, perSeconds: 60 } });
    expect([await ask(alice), await ask(alice), await ask(alice)]).toEqual([undefined, undefined, undefined]);
    expect(await ask(alice)).toBe(20);
    clock.now += 19_000;
    expect(await ask(alice)).toBe(1);
    clock.now += 1000;
    expect(await ask(alice)).toBeUndefined();
    expect(await ask(alice)).toBe(20);
  });

  test('does not grow beyond its limit while nobody asks', async () => {
    const { ask, clock } = limited({ rate: { requests: 2, perSeconds: 1 } });
    clock.now += 1e9;
    await ask(alice);
    await ask(alice);
    expect(await ask(alice)).toBe(1);
  });

  test('a clock that goes back gives nothing', async () => {
    const { ask, clock } = limited({ rate: { requests: 1, perSeconds: 10 } });
    await ask(alice);
    clock.now -= 1e6;
    expect(await ask(alice)).toBe(10);
  });

  test('is of each principal alone, and of each model where it says so', async () => {
    const { ask } = limited({ rate: { requests: 1, perSeconds: 10 }, eachModel: true });
    expect([await ask(alice), await ask(bob), await ask(alice, 'n')]).toEqual([undefined, undefined, undefined]);
    expect([await ask(alice), await ask(bob), await ask(alice, 'n')]).toEqual([10, 10, 10]);
  });

  test('concerns the roles, principals and models that it names', async () => {
    const { ask } = limited({ roles: ['user'], models: ['large-*'], rate: { requests: 1, perSeconds: 10 } });
    for (const [principal, model, expected] of [
      [alice, 'large-a', undefined],
      [alice, 'large-b', 10],
      [alice, 'small', undefined],
      [bob, 'large-a', undefined],
      [bob, 'large-a', undefined],
    ] as const)
      expect(await ask(principal, model)).toBe(expected);
  });
});

describe('a quota', () => {
  test.each([
    ['hour', 30 * 60],
    ['day', 30 * 60],
    ['month', 30 * 60],
  ] as const)('of the %s is full again when the next begins', async (per, seconds) => {
    const { ask, clock } = limited({ quota: { requests: 1, per } });
    await ask(alice);
    expect(await ask(alice)).toBe(seconds);
    clock.now += seconds * 1000;
    expect(await ask(alice)).toBeUndefined();
    expect(await ask(alice)).toBeGreaterThan(seconds);
  });

  test('stays used when the policy is read again', async () => {
    const { ask, reopen } = limited({ quota: { requests: 1, per: 'day' } });
    await ask(alice);
    reopen();
    expect(await ask(alice)).toBe(1800);
  });
});

test('a request that one limit refuses takes nothing from another', async () => {
  const { ask, clock } = limited({ rate: { requests: 1, perSeconds: 1 } }, { quota: { requests: 2, per: 'day' } });
  expect(await ask(alice)).toBeUndefined();
  for (let again = 0; again < 5; again++) expect(await ask(alice)).toBe(1);
  clock.now += 1000;
  expect(await ask(alice)).toBeUndefined();
  clock.now += 1000;
  expect(await ask(alice)).toBe(1798);
});

describe('tokens', () => {
  const limit: Limit = { rate: { tokens: 100, perSeconds: 100 } };

  test('used after all are never refused, but the next request is', async () => {
    const { ask, use, clock } = limited(limit);
    expect(await ask(alice, 'm', 40)).toBeUndefined();
    expect(await use(alice, 110)).toBeUndefined();
    expect(await ask(alice)).toBe(51);
    clock.now += 51_000;
    expect(await ask(alice)).toBeUndefined();
  });

  test('a prompt longer than what is left waits; one longer than all there is passes when all is there', async () => {
    const { ask } = limited(limit);
    expect(await ask(alice, 'm', 60)).toBeUndefined();
    expect(await ask(alice, 'm', 60)).toBe(20);
    expect(await ask(bob, 'm', 1000)).toBeUndefined();
    expect(await ask(bob, 'm', 1)).toBe(901);
  });
});

test('headers tell how much is left of the tightest, in both spellings', async () => {
  const { headers } = limited(
    { rate: { requests: 100, tokens: 500, perSeconds: 10 } },
    { rate: { requests: 4, perSeconds: 8 } },
  );
  await headers(alice);
  expect(await headers(alice)).toEqual({
    'x-ratelimit-limit': '4',
    'x-ratelimit-remaining': '2',
    'x-ratelimit-reset': '4',
    'x-ratelimit-limit-requests': '4',
    'x-ratelimit-remaining-requests': '2',
    'x-ratelimit-reset-requests': '4s',
    'x-ratelimit-limit-tokens': '500',
    'x-ratelimit-remaining-tokens': '500',
    'x-ratelimit-reset-tokens': '0s',
  });
});

test('memory holds only so many', () => {
  const store = new MemoryLimitStore([], 2);
  for (const key of ['a', 'b', 'a', 'c']) store.set(key, { remaining: 1, at: 1 });
  expect(Array.from(store.entries(), ([key]) => key)).toEqual(['a', 'c']);
});
